"""Slurm's own words as reason codes: every text of the recorded verdicts, and what a queued job asks."""

import csv

import pytest

from launchers.requirement import parse
from launchers.slurm.live import read_signals
from launchers.slurm.pending import read_job
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


def test_a_queued_job_is_read_back_into_its_need():
    gpus = (
        "JobId=75 JobName=wrap Account=vision QOS=gpu JobState=PENDING Reason=QOSMaxGRESPerJob Dependency=(null) "
        "TimeLimit=01:00:00 Partition=gpu NumNodes=1 NumCPUs=1 MinMemoryNode=0 TresPerNode=gres:gpu:a100:5\n"
    )
    job = read_job(gpus)
    assert (job.id, job.state, job.reason, job.qos, job.account) == (
        "75",
        "PENDING",
        "QOSMaxGRESPerJob",
        "gpu",
        "vision",
    )
    assert str(job.need) == str(parse("duration=1h & cpu(cores=1) & gpu(model=A100)*5").alternatives[0])
    spread = (
        "JobId=76 QOS=(null) JobState=PENDING Reason=Nodes required for job are DOWN, DRAINED Dependency=(null) "
        "TimeLimit=UNLIMITED Partition=a,b NumNodes=2-2 NumCPUs=6 MinMemoryCPU=5G TresPerJob=gres/gpu:4\n"
    )
    job = read_job(spread)
    assert (job.partitions, job.qos) == (("a", "b"), "")
    assert job.reason == "Nodes required for job are DOWN, DRAINED"
    assert str(job.need) == str(parse("nodes=2 & cpu(mem=15G, cores=3) & gpu()*2").alternatives[0])


def test_signals():
    found = read_signals("a|idle|3\na|mix|2\na|idle*|7\nb|drain|4\nb|idle~|1\n", "a\na,b\nb\n\n")
    assert (found["a"].idle, found["a"].mixed, found["a"].waiting) == (3, 2, 2)
    assert (found["b"].idle, found["b"].mixed, found["b"].waiting) == (1, 0, 2)
