"""What squeue and sacct say of jobs, in the form of Slurm 22.05."""

import time

import pytest
from connectors import Answers

from launchers.commands import CommandError
from launchers.jobs.backend import JobInfo
from launchers.slurm.accounting import usage_of
from launchers.slurm.jobs import find_token, job_infos

TIMES = "1700000000|1700000001|Unknown|1700000009"
CANCELLED = f"44_[4-5%2]|CANCELLED by 0|None|None assigned|00:00:00|0:0|cpu|{TIMES}"
WAITS = f"44_[3-5]|PENDING|None|None assigned|00:00:00|0:0|cpu|{TIMES}"
RAN = f"44_0|COMPLETED|None|n1|00:00:05|0:0|cpu|{TIMES}"
NO_SUCH_JOB = (1, "slurm_load_jobs error: Invalid job id specified")
UNREACHABLE = (1, "slurm_load_jobs error: Unable to contact slurm controller (connect failure)")
ELEMENTS = {("44", number) for number in (0, 3, 4, 5)}


def cluster(squeue, *sacct):
    return Answers({"squeue": squeue, "sacct": "".join(f"{line}\n" for line in sacct)})


def states(squeue, *sacct):
    infos = job_infos(cluster(squeue, *sacct), ["44"], ELEMENTS)
    return {index: info.state for (_, index), info in infos.items()}


def info(squeue, *sacct):
    """The info of the only job."""
    (found,) = job_infos(cluster(squeue, *sacct), ["7"]).values()
    return found


def test_elements_that_are_cancelled_together_have_one_line():
    assert states(NO_SUCH_JOB, RAN, CANCELLED) == {0: "COMPLETED", 3: "CANCELLED", 4: "CANCELLED", 5: "CANCELLED"}
    together = "44|4-5%2|CANCELLED||0:00|cpu|1|2|3|None\n"
    assert states(together, RAN, WAITS) == {0: "COMPLETED", 3: "CANCELLED", 4: "CANCELLED", 5: "CANCELLED"}


def test_a_row_of_one_element_is_newer_than_a_row_of_several():
    alone = f"44_4|RUNNING|None|n2|00:00:05|0:0|cpu|{TIMES}"
    assert states(UNREACHABLE, WAITS, alone)[4] == states(UNREACHABLE, alone, WAITS)[4] == "RUNNING"
    assert states(UNREACHABLE, alone, alone.replace("RUNNING", "FAILED"))[4] == "FAILED"


def test_an_element_that_neither_knows_was_cancelled_before_it_started():
    waiting = "44|5|PENDING||0:00|cpu|1|2|3|Dependency\n"
    assert states(waiting, RAN, WAITS) == {0: "COMPLETED", 3: "CANCELLED", 4: "CANCELLED", 5: "PENDING"}
    assert states(waiting) == {5: "PENDING"}  # no sacct: those that ended are not known


def test_nothing_counts_as_cancelled_while_the_controller_does_not_answer():
    assert states(UNREACHABLE, RAN, WAITS) == {0: "COMPLETED", 3: "PENDING", 4: "PENDING", 5: "PENDING"}
    assert states(UNREACHABLE, RAN) == {0: "COMPLETED"}
    no_squeue = Answers({"sacct": f"{RAN}\n"})
    assert [one.state for one in job_infos(no_squeue, ["44"], ELEMENTS).values()] == ["COMPLETED"]


def test_times_and_the_rest():
    assert info("7|N/A|RUNNING|n1|0:05|cpu|1|2|3|None\n") == JobInfo(
        "RUNNING", "None", "n1", "0:05", partition="cpu", submitted=1, started=2
    )
    assert info("", f"7|FAILED|NonZeroExitCode|n1|00:05|3:0|cpu|{TIMES}") == JobInfo(
        "FAILED", "NonZeroExitCode", "n1", "00:05", "3:0", "cpu", 1700000000, 1700000001, None, 1700000009
    )


@pytest.mark.parametrize(
    ("state", "nodes", "started", "ended"),
    [
        ("PENDING", "", None, None), ("CONFIGURING", "n1", None, None), ("CANCELLED", "", None, 3), ("CANCELLED", "n1", 2, 3),
        ("RUNNING", "n1", 2, None), ("COMPLETED", "n1", 2, 3),
    ],
)  # fmt: skip
def test_squeue_has_a_start_also_for_jobs_that_never_started(state, nodes, started, ended):
    line = f"7|N/A|{state}|{nodes}|0:00|cpu|1|2|3|None\n"
    row = "7|RUNNING|None|n1|00:00:05|0:0|cpu|1|1|2|3"
    for found in (info(line), info(line, row)):
        assert (found.started, found.ended) == (started, ended)


def test_squeue_is_newer_and_sacct_knows_more():
    found = info("7|N/A|COMPLETED|n1|0:05|cpu|N/A|N/A|N/A|None\n", "7|RUNNING|None|n9|00:01|3:0|long|1|2|3|4")
    assert (found.state, found.nodes, found.partition) == ("COMPLETED", "n1", "cpu")
    assert (found.exit, found.submitted, found.eligible, found.started, found.ended) == ("3:0", 1, 2, 3, 4)


def test_a_job_that_was_cancelled_before_it_started_has_no_start():
    assert info("", "7|CANCELLED by 0|None|None assigned|00:00|0:0|cpu|1|2|3|4").started is None


def test_sacct_is_asked_only_where_squeue_is_not_enough():
    waits = "7|N/A|PENDING||0:00|cpu|1|2|3|None\n"
    for line, elements, usage, asked in (
        (waits, [("7", None)], False, False),
        (waits, [("7", None)], True, True),
        (waits, [], False, True),
        (waits, [("7", None), ("8", None)], False, True),
        (waits.replace("PENDING", "FAILED"), [("7", None)], False, True),
    ):
        slurm = cluster(line)
        job_infos(slurm, ["7"], elements, usage=usage)
        assert any(argv[0] == "sacct" for argv in slurm.asked) is asked


def test_one_question_for_all_jobs():
    slurm = cluster("")
    job_infos(slurm, ["8", "7", "8"])
    assert [argv[argv.index("-j") + 1] for argv in slurm.asked] == ["7,8", "7,8"]
    assert job_infos(Answers(), []) == {}


def test_usage_is_that_of_the_job_and_its_steps():
    own, step = "5|cpu=3|cpu=4|00:03|||1|", "||cpu=4|00:03|1024K|1|1|mem=1024K"
    rows = [f"{id}|COMPLETED|None|n1|00:05|0:0|cpu|{TIMES}|{row}" for id, row in (("7", own), ("7.batch", step))]
    (found,) = job_infos(cluster("", *rows), ["7"], usage=True).values()
    assert found.usage == usage_of(own.split("|"), step.split("|"))
    assert found.usage.peak == 1024**2


@pytest.mark.parametrize("line", ["7|N/A|RUNNING", "garbage", "7|x|RUNNING|n1|0:05|cpu|1|2|3|None"])
def test_lines_that_say_nothing(line):
    assert job_infos(cluster(f"{line}\n", line), ["7"]) == {}


# -- tokens ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("squeue", "sacct", "job"),
    [
        ("7|tok|x\n", "", "7"), ("7|(null)|plan.step.tok\n", "", "7"), ("7_3|tok|x\n", "", "7"), ("7|tokens|x.token\n", "", None),
        ("", "9|tok|x\n", "9"), ("", "9_[1-3]||a.tok\n", "9"), ("", (1, "no database"), None), ("7\n", "", None),
    ],
)  # fmt: skip
def test_a_job_is_found_by_its_token(squeue, sacct, job):
    slurm = Answers({"squeue": squeue, "sacct": sacct})
    assert find_token(slurm, "tok", 1700000000) == job


def test_accounting_is_asked_from_a_minute_before(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    slurm = Answers({"squeue": ""})
    assert find_token(slurm, "tok", 1700000000) is None
    assert slurm.asked[1][:6] == ("sacct", "-X", "-n", "-P", "-S", "2023-11-14T22:12:20")


def test_a_controller_that_does_not_answer_does_not_know():
    with pytest.raises(CommandError, match="squeue: slurm_load_jobs error: Unable to contact"):
        find_token(Answers({"squeue": UNREACHABLE}), "tok", 0)
