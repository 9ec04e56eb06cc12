"""A job of `scontrol show job`, read back into its need."""

import time

import pytest
from connectors import Answers
from hypothesis import assume, given
from hypothesis import strategies as st

from launchers.commands import CommandError
from launchers.requirement import parse
from launchers.slurm.pending import NoSuchJobError, queued_job, read_job


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


@pytest.mark.parametrize(
    ("pairs", "need"),
    [
        ("NumNodes=2 NumCPUs=6 MinMemoryNode=5G", "nodes=2 & cpu(mem=5G, cores=3)"),
        ("NumNodes=2-4 NumCPUs=7-9", "nodes=2 & cpu(cores=4)"),
        ("NumNodes=0 NumCPUs=1", "cpu(cores=1)"),
        ("", "cpu(cores=1)"),
        ("NumCPUs=4 MinMemoryCPU=100M MinMemoryNode=5G", "cpu(mem=400M, cores=4)"),
        ("TimeLimit=1-00:00:00", "duration=1 day & cpu(cores=1)"),
        ("TimeLimit=Partition_Limit", "cpu(cores=1)"),
        ("TresPerNode=gres/gpu", "cpu(cores=1) & gpu()"),
        ("TresPerNode=gres:gpu:2,license:x:1", "cpu(cores=1) & gpu()*2"),
        ("TresPerNode=gres/gpu:v100:2,gres/shard:3", "cpu(cores=1) & gpu(model=V100)*2"),
        ("TresPerNode=gres/gpu:nosuch:1", "cpu(cores=1) & gpu()"),
        ("NumNodes=2 NumCPUs=2 TresPerJob=gres:gpu:3", "nodes=2 & cpu(cores=1) & gpu()*2"),
        ("TresPerNode=N/A", "cpu(cores=1)"),
    ],
)
def test_needs(pairs, need):
    assert str(read_job(f"JobId=7 {pairs}\n").need) == str(parse(need).alternatives[0])


def test_what_is_not_set_is_empty():
    job = read_job("JobId=7 QOS=N/A Account=(null) Partition=\n")
    assert (job.qos, job.account, job.partitions, job.state, job.reason) == ("", "", (), "UNKNOWN", "None")


# -- asking slurmctld ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("id", ["7", "7_3", "7+1"])
def test_a_job_is_asked_for_by_its_id(id):
    slurm = Answers({"scontrol show job -o": "JobId=7 JobState=PENDING\n"})
    assert queued_job(slurm, id).state == "PENDING"
    assert slurm.asked == [("scontrol", "show", "job", "-o", id)]


@pytest.mark.parametrize("id", ["", "x", "7_", "7;8", "-7", "7_[1-2]", "٧"])
def test_what_is_no_id_is_not_asked_for(id):
    slurm = Answers()
    with pytest.raises(NoSuchJobError, match="is not the id of a job, such as 1234 or 1234_5"):
        queued_job(slurm, id)
    assert slurm.asked == []


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (
            (1, "slurm_load_jobs error: Invalid job id specified\n"),
            NoSuchJobError,
            "slurmctld does not know job 7 .* try: sacct -j 7",
        ),
        ("No jobs in the system\n", NoSuchJobError, "slurmctld does not know job 7 .No jobs in the system."),
        (
            (1, "Unable to contact slurm controller\n"),
            CommandError,
            "job 7: slurmctld does not answer: Unable to contact",
        ),
        ("JobId=7 NumNodes=x\n", CommandError, "job 7: launchers cannot read what scontrol printed: invalid literal"),
        ("x JobId=7\n", CommandError, "this is not a job as scontrol prints it"),
    ],
)
def test_why_there_is_no_job(answer, error, message):
    with pytest.raises(error, match=message):
        queued_job(Answers({"scontrol": answer}), "7")


@pytest.mark.no_coverage  # it measures time
@pytest.mark.parametrize(
    "text", [" ", "\n", " \n", " Reason=", "\nJobId=1 ", "\nJobId=1 a=b ", " UserId=a(1) GroupId=", " StdOut=", "a=b "]
)
def test_long_texts_of_a_user_are_read_in_time(text):
    long = text * (1_000_000 // len(text))
    before = time.process_time()
    assert read_job(f"JobId=7 NumNodes=2 Comment={long}x").need.nodes == 2
    read_job(f"JobId=7 JobName={long}x")
    assert time.process_time() - before < 5
