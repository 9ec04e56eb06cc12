"""Slurm's own words as reason codes: every text of the recorded verdicts."""

import csv

import pytest

from launchers.slurm.refusals import refusal_of_reason, refusal_of_sbatch


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
