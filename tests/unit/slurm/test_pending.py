"""A job of `scontrol show job`, read back into its need."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from launchers.requirement import parse
from launchers.slurm.pending import read_job


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


RECORD = (
    "JobId=1 JobName={name} UserId=ann(1000) GroupId=ann(1000) MCS_label=N/A Priority=0 Nice=0 Account=vision QOS=normal "
    "JobState=PENDING Reason=Resources Dependency=(null) Requeue=1 Restarts=0 TimeLimit=01:00:00 Partition=cpu "
    "AllocNode:Sid=login:1164 ReqNodeList=(null) NodeList= NumNodes=1-1 NumCPUs=2 NumTasks=1 "
    "MinCPUsNode=2 MinMemoryCPU=100M MinTmpDiskNode=0 Features=(null) Licenses=(null) Command={command} {line}"
    "WorkDir={folder} Comment={comment} StdErr=/x/slurm-1.out StdIn=/dev/null StdOut={out}{asked}\n"
)


PLAIN = {
    "name": "wrap",
    "command": "(null)",
    "line": "",
    "folder": "/x",
    "comment": "",
    "out": "/x/slurm-1.out",
    "asked": "",
}


FACTS = "NumNodes=9 NumCPUs=99 JobState=RUNNING Partition=gpu QOS=gold TimeLimit=9-00:00:00 TresPerNode=gres:gpu:8"


@pytest.mark.parametrize(
    "texts",
    [
        {"comment": f"sweep {FACTS}"},
        {"name": f"x {FACTS}"},
        {"command": f"/x/job.sh {FACTS}"},
        {"line": f"SubmitLine=sbatch -J x {FACTS} "},
        {"folder": f"/x/a {FACTS}"},
        {"comment": f"two lines\n   {FACTS}", "name": f"two lines\n   {FACTS}"},
        {"comment": f"Command=/y StdOut=/y {FACTS}"},
        {"comment": f"AdminComment=a Extra=b {FACTS}", "name": FACTS},
        {"name": "Reason=mine Dependency=none Reason=", "comment": "Reason=mine Dependency=none"},
        {"name": f"a UserId=x(1) GroupId=y(2) {FACTS}"},
        {"name": f"a Comment=b {FACTS}"},
        {"name": f"a\nJobId=9 {FACTS}", "comment": f"b\nJobId=9 {FACTS}"},
        {"out": f"/my {FACTS} log.out", "asked": " TresPerNode=gres/gpu:1"},
    ],
)
@pytest.mark.parametrize("asked", ["", " TresPerNode=gres/gpu:1 MailUser=ann"])
def test_what_a_user_wrote_is_no_fact(texts, asked):
    asked = texts.get("asked", asked)
    plain = read_job(RECORD.format(**{**PLAIN, "asked": asked}))
    assert read_job(RECORD.format(**{**PLAIN, **texts, "asked": asked})) == plain
    assert (plain.state, plain.reason, plain.need.nodes, len(plain.need.accelerators)) == (
        "PENDING", "Resources", 1, len(asked) and 1,
    )  # fmt: skip


@given(name=st.text(), comment=st.text(), command=st.text())
def test_whatever_a_user_wrote(name, comment, command):
    texts = {"name": name, "comment": comment, "command": command}
    assume(not any(" UserId=" in text or " StdOut=" in text or "JobId=" in text for text in texts.values()))
    assert read_job(RECORD.format(**{**PLAIN, **texts})) == read_job(RECORD.format(**PLAIN))


def test_the_first_job_of_an_array_and_what_is_none():
    array = RECORD.format(**PLAIN) + RECORD.format(**PLAIN).replace("JobId=1", "JobId=2").replace(
        "NumNodes=1", "NumNodes=5"
    )
    assert read_job(array) == read_job(RECORD.format(**PLAIN))
    with pytest.raises(ValueError, match="not a job"):
        read_job("Job 1 is well\n")
