"""Slurm's own words as reason codes: every text of the recorded verdicts."""

import csv

import pytest

from launchers.slurm.refusals import is_refusal, refusal_of_reason, refusal_of_sbatch


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("Requested time limit is invalid (missing or exceeds some limit)", "duration"), ("Invalid qos specification", "closed"),
        ("Invalid account or account/partition combination specified", "closed"), ("Invalid partition name specified", "closed"),
        ("Required partition not available (inactive or drain)", "closed"), ("Memory required by task is not available", "memory"),
        ("Node count specification invalid", "nodes"), ("More processors requested than permitted", "cores"),
        ("CPU count per node can not be satisfied", "cores"), ("Job violates accounting/QOS policy (job submit limit)", "limit"),
        ("Invalid feature specification", "gpu-model"), ("Invalid generic resource (gres) specification", "gpu-model"),
        ("Requested node configuration is not available", "limit"), ("Requested partition configuration not available now", "limit"),
        ("Batch job submission failed: something new", ""),
    ],
)  # fmt: skip
def test_refusals_of_sbatch(message, code):
    found = refusal_of_sbatch(f"sbatch: error: {message}")
    assert (found.code, found.never) == (code, True)


@pytest.mark.parametrize(
    ("message", "refused"),
    [
        ("sbatch: error: Unable to contact slurm controller (connect failure)", False),
        ("sbatch: error: Batch job submission failed: Socket timed out on send/recv operation", False),
        ("sbatch: error: slurm_receive_msg: Zero Bytes were transmitted or received", False),
        ("sbatch: error: Batch job submission failed: Message receive failure", False), ("", False),
        ("sbatch: error: Batch job submission failed: Invalid qos specification", True), ("the site is closed", False),
        ("welcome\nsbatch: fatal: Unable to open file x.sh", True), ("no sbatch: error: here", False),
    ],
)  # fmt: skip
def test_what_is_a_refusal(message, refused):
    assert is_refusal(message) is refused


@pytest.mark.parametrize(
    ("reason", "code", "never"),
    [
        ("PartitionTimeLimit", "duration", True),
        ("PartitionNodeLimit", "nodes", True),
        ("PartitionConfig", "limit", True),
        ("PartitionDown", "closed", False),
        ("MaxMemPerLimit", "memory", True),
        ("QOSMaxWallDurationPerJobLimit", "duration", True),
        ("QOSMaxGRESPerJob", "limit", True),
        ("QOSMaxCpuPerJobLimit", "limit", True),
        ("QOSMinGRES", "minimum", True),
        ("QOSMinCpuNotSatisfied", "minimum", True),
        ("QOSMaxGRESPerUser", "limit", False),
        ("AssocGrpCpuLimit", "limit", False),
        ("MaxCpuRunMinsPerUser", "limit", False),
        ("AssocMaxWallDurationPerJobLimit", "duration", True),
        ("BadConstraints", "gpu-model", True),
        ("DependencyNeverSatisfied", "", True),
        ("Resources", "", False),
        ("Priority", "", False),
        ("QOSMaxJobsPerUserLimit", "", False),
        ("ReqNodeNotAvail, UnavailableNodes:n1", "", False),
        ("(PartitionTimeLimit)", "duration", True),
        ("PartitionDown, of late", "closed", False),
        ("Job's account not permitted to use this partition (restricted allows physics not vision)", "closed", True),
        ("Job's_QOS_not_permitted_to_use_this_partition", "closed", True),
        ("InvalidAccount", "closed", True),
        ("AssocGrpSubmitJobsLimit", "", False),
        ("QOSMaxNodePerJobLimit", "nodes", True),
        ("QOSMaxMemoryPerJob", "memory", True),
        ("AssocMaxCpuPerJobLimit", "limit", True),
    ],
)
def test_pending_reasons(reason, code, never):
    found = refusal_of_reason(reason)
    assert (found.code, found.never) == (code, never)


def test_every_recorded_refusal_of_a_resource_has_a_code(shared):
    rows = list(
        csv.DictReader((shared.parent / "facts" / "slurm-verdicts.tsv").open(), delimiter="\t", quoting=csv.QUOTE_NONE)
    )
    said = {
        row["sbatch"]
        for row in rows
        if "configuration" in row["sbatch"] or "time limit" in row["sbatch"] or "Invalid qos" in row["sbatch"]
    }
    assert len(said) >= 3
    assert all(refusal_of_sbatch(text).code for text in said)
    waiting = {row["12 s later"].removeprefix("PENDING ") for row in rows if row["12 s later"].startswith("PENDING")}
    assert len(waiting - {"BeginTime"}) >= 14
    assert all(refusal_of_reason(reason).code for reason in waiting - {"BeginTime"}), waiting
    assert refusal_of_sbatch("sbatch: error: something new").code == ""
