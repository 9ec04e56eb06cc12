"""What squeue and sacct say of jobs, in the form of Slurm 22.05."""

import subprocess
import time
from pathlib import Path

import pytest
from connectors import Answers
from slurm_rows import NO_SUCH_JOB, ONE_JOB, SETTLED, UNREACHABLE, accounted, found, queued

from launchers.commands import CommandError
from launchers.jobs.backend import JobInfo
from launchers.slurm.accounting import usage_of
from launchers.slurm.jobs import CHUNK, SEPARATOR, find_token, job_infos

ELEMENTS = {("44", number) for number in (0, 3, 4, 5)}
WAITS = accounted("44_[3-5]", "PENDING", nodes="None assigned")
CANCELLED = accounted("44_[4-5%2]", "CANCELLED by 0", nodes="None assigned")
RAN = accounted("44_0")
NO_DATABASE = (1, "sacct: error: Problem talking to the database: Connection refused")
CONFIG = "ClusterName = c\nAccountingStorageType = accounting_storage/{}\n"


def cluster(squeue="", sacct="", **more):
    return Answers({"squeue": squeue, "sacct": sacct, **more})


def answer(squeue="", sacct="", jobs=("7",), elements=(), **more):
    return job_infos(cluster(squeue, sacct, **more), dict.fromkeys(jobs, "tok"), elements)


def states(squeue, sacct="", sdiag=SETTLED):
    """The states of the elements of an array by their number."""
    infos = answer(squeue, sacct, ["44"], ELEMENTS, sdiag=sdiag).infos
    return {index: info.state for (_, index), info in infos.items()}


def info(squeue, sacct=""):
    """The info of the only job."""
    (only,) = answer(squeue, sacct).infos.values()
    return only


# -- what is known of a job --------------------------------------------------------------------------------------


def test_times_and_the_rest():
    assert info(queued()) == JobInfo("RUNNING", "", "n1", "0:05", partition="cpu", submitted=1, started=2)
    assert info("", accounted(state="FAILED", reason="NonZeroExitCode", exit="3:0", end="Unknown")) == JobInfo(
        "FAILED", "NonZeroExitCode", "n1", "00:05", "3:0", "cpu", 1, 1, 2, None
    )


@pytest.mark.parametrize(
    ("state", "nodes", "started", "ended"),
    [
        ("PENDING", "", None, None), ("CONFIGURING", "n1", None, None), ("CANCELLED", "", None, 3), ("CANCELLED", "n1", 2, 3),
        ("RUNNING", "n1", 2, None), ("COMPLETED", "n1", 2, 3),
    ],
)  # fmt: skip
def test_squeue_has_a_start_also_for_jobs_that_never_started(state, nodes, started, ended):
    line = queued(state=state, nodes=nodes)
    for known in (info(line), info(line, accounted(state="RUNNING"))):
        assert (known.started, known.ended) == (started, ended)


def test_squeue_is_newer_and_sacct_knows_more():
    line = queued(state="COMPLETED", submit="N/A", start="N/A", end="N/A")
    known = info(line, accounted(state="RUNNING", nodes="n9", partition="long", exit="3:0", eligible=2, start=3, end=4))
    assert (known.state, known.nodes, known.partition) == ("COMPLETED", "n1", "cpu")
    assert (known.exit, known.submitted, known.eligible, known.started, known.ended) == ("3:0", 1, 2, 3, 4)


def test_a_job_that_was_cancelled_before_it_started_has_no_start():
    assert info("", accounted(state="CANCELLED by 0", nodes="None assigned")).started is None


def test_usage_is_that_of_the_job_and_its_steps():
    own, step = (
        ["5", "cpu=3", "cpu=4", "00:03", "", "", "1", ""],
        ["", "", "cpu=4", "00:03", "1024K", "1", "1", "mem=1024K"],
    )
    rows = accounted(used=own) + accounted("7.batch", used=step, comment="", name="batch", folder="")
    (known,) = job_infos(cluster("", rows), {"7": "tok"}, usage=True).infos.values()
    assert known.usage == usage_of(own, step)
    assert known.usage.peak == 1024**2


@pytest.mark.parametrize(
    "line", ["7|N/A|RUNNING", "garbage", f"7{SEPARATOR}N/A{SEPARATOR}", queued(index="x")], ids=range(4)
)
def test_lines_that_say_nothing(line):
    assert answer(line, line).infos == {}


# -- whose a job is ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("identity", "counts"),
    [
        ({"comment": "tok"}, True), ({"comment": "(null)", "name": "plan.step.tok"}, True), ({"comment": ""}, False),
        ({"comment": "(null)", "name": "tok"}, True), ({"comment": "other", "name": "precious"}, False),
        ({"comment": "token", "name": "x.token"}, False), ({"comment": "other", "name": "x.tok"}, True),
        ({"comment": "(null)", "folder": "/run/cwd"}, True), ({"comment": "", "folder": "/run/cwd"}, True),
        ({"comment": "other", "folder": "/run/cwd"}, False), ({"comment": "", "folder": "/run"}, False),
        ({"comment": "tok", "name": "a|b\nc|tok\n"}, True), ({"comment": "x|tok|y\n7", "name": "tok\n"}, False),
    ],
)  # fmt: skip
def test_only_a_job_that_carries_its_token_counts(identity, counts):
    """An id is used again; a name or a comment may hold anything."""
    identity = {"name": "x", **identity}
    for squeue, sacct in ((queued(**identity), ""), ("", accounted(**identity))):
        known = job_infos(cluster(squeue, sacct), {"7": "tok"}, folder=Path("/run/cwd"))
        assert (("7", None) in known.infos, known.problem) == (counts, "")


def test_a_job_without_a_token_is_known_by_its_folder(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    line = queued(folder=tmp_path, comment="whatever")
    for folder, count in ((tmp_path, 1), (tmp_path / "link", 1), (tmp_path / "cwd", 0), (None, 0)):
        assert len(job_infos(cluster(line), {"7": ""}, folder=folder).infos) == count
    assert job_infos(cluster(queued(comment="", name="")), {"7": ""}).infos == {}


def test_of_several_jobs_that_had_an_id_ours_counts():
    ours = accounted(state="CANCELLED by 0", submit=5)
    other = accounted(state="COMPLETED", submit=9, name="precious")
    queued_again = accounted(state="FAILED", submit=7)
    assert info("", ours + other).state == info("", other + ours).state == "CANCELLED"
    assert info("", ours + queued_again).state == info("", queued_again + ours).state == "FAILED"


def test_the_steps_of_another_job_are_not_ours():
    used = ["5", "cpu=1", "cpu=1", "00:03", "", "", "1", ""]
    big = ["", "", "cpu=1", "00:03", "9999K", "1", "1", ""]
    other = accounted(used=used, name="precious") + accounted("7.batch", used=big)
    (known,) = job_infos(cluster("", accounted(used=used) + other), {"7": "tok"}, usage=True).infos.values()
    assert known.usage.peak is None


def test_another_job_that_is_an_element_now_is_not_ours():
    """squeue lists a job also by the id that an element of an array has of its own."""
    assert answer(queued(job="44", index="3")).infos == {}


def test_what_a_wrapper_prints_is_no_job():
    assert info(f"Welcome to cluster 42\n{queued()}Good bye\n").state == "RUNNING"


# -- elements of arrays --------------------------------------------------------------------------------------------


def test_elements_that_are_cancelled_together_have_one_line():
    cancelled = {0: "COMPLETED", 3: "CANCELLED", 4: "CANCELLED", 5: "CANCELLED"}
    assert states("", RAN + CANCELLED) == cancelled
    together = queued("44", "4-5%2", "CANCELLED", nodes="")
    alone = queued("44", "4")
    assert states(together, RAN + WAITS) == cancelled
    assert states(together + alone)[4] == states(alone + together)[4] == "RUNNING"


def test_a_row_of_one_element_is_newer_than_a_row_of_several():
    alone = accounted("44_4", "RUNNING", nodes="n2")
    assert states(UNREACHABLE, WAITS + alone)[4] == states(UNREACHABLE, alone + WAITS)[4] == "RUNNING"


def test_an_element_that_neither_knows_was_cancelled_before_it_started():
    waiting = queued("44", "5", "PENDING", nodes="")
    assert states(waiting, RAN + WAITS) == {0: "COMPLETED", 3: "CANCELLED", 4: "CANCELLED", 5: "PENDING"}
    assert states("", RAN + accounted("44_5")) == {0: "COMPLETED", 3: "CANCELLED", 4: "CANCELLED", 5: "COMPLETED"}


@pytest.mark.parametrize("sdiag", ["DBD Agent queue size: 3\n", "", (1, "away"), "size: 0\n"])
def test_what_accounting_may_not_have_yet_is_not_cancelled(sdiag):
    waiting = queued("44", "5", "PENDING", nodes="")
    assert states(waiting, RAN + WAITS, sdiag) == {0: "COMPLETED", 5: "PENDING"}
    assert states("", CANCELLED, sdiag) == {}


def test_an_array_that_the_controller_lost_was_not_cancelled():
    """A controller that lost its state knows none of it, and accounting has it running and waiting for ever."""
    assert states("", WAITS + accounted("44_0", "RUNNING")) == {}
    assert states("") == {}


def test_nothing_counts_as_cancelled_while_slurm_cannot_be_asked():
    assert states(UNREACHABLE, RAN + WAITS) == {0: "COMPLETED", 3: "PENDING", 4: "PENDING", 5: "PENDING"}
    assert states(UNREACHABLE, RAN + CANCELLED) == {0: "COMPLETED"}
    assert states(queued("44", "5", "PENDING"), NO_DATABASE) == {5: "PENDING"}


# -- what cannot be asked ------------------------------------------------------------------------------------------


def test_a_job_that_has_not_ended_is_in_the_queue():
    assert answer("", accounted(state="RUNNING")).infos == {}
    assert answer(UNREACHABLE, accounted(state="RUNNING")).infos["7", None].state == "RUNNING"


def test_what_is_missing_is_not_known_or_cannot_be_asked():
    assert answer().problem == ""
    assert answer(NO_SUCH_JOB, **{ONE_JOB.format(job="7,7"): ""}).problem == ""
    away = answer(UNREACHABLE)
    assert (dict(away.infos), away.problem) == ({}, f"squeue: {UNREACHABLE[1]}")
    assert answer("", NO_DATABASE).problem == f"sacct: {NO_DATABASE[1]}"
    assert answer(UNREACHABLE, NO_DATABASE).problem == f"squeue: {UNREACHABLE[1]}; sacct: {NO_DATABASE[1]}"


def test_a_problem_of_accounting_is_none_where_all_is_known():
    ended = queued(state="COMPLETED")
    assert answer(ended, NO_DATABASE, elements=[("7", None)]).problem == ""
    partly = answer(ended, NO_DATABASE, ["7", "8"], [("7", None), ("8", None)])
    assert (len(partly.infos), partly.problem) == (1, f"sacct: {NO_DATABASE[1]}")


@pytest.mark.parametrize(("storage", "problem"), [("none", ""), ("slurmdbd", "sacct: no"), (None, "sacct: no")])
def test_a_cluster_may_have_no_accounting(storage, problem):
    config = {"scontrol": CONFIG.format(storage)} if storage else {}
    assert answer("", (1, "no"), **config).problem == problem


def test_a_site_may_have_no_sacct_but_not_no_squeue():
    assert job_infos(Answers({"squeue": ""}), {"7": "tok"}).problem == ""
    no_squeue = job_infos(Answers({"sacct": accounted()}), {"7": "tok"})
    assert (no_squeue.infos["7", None].state, no_squeue.problem) == ("COMPLETED", "there is no command squeue")


# -- the questions -------------------------------------------------------------------------------------------------


def test_sacct_is_asked_only_where_squeue_is_not_enough():
    waits = queued(state="PENDING", nodes="")
    for line, elements, usage, asked in (
        (waits, [("7", None)], False, False),
        (waits, [("7", None)], True, True),
        (waits, [], False, True),
        (waits, [("7", None), ("8", None)], False, True),
        (queued(state="FAILED"), [("7", None)], False, True),
    ):
        slurm = cluster(line)
        job_infos(slurm, {"7": "tok"}, elements, usage=usage)
        assert [argv[0] for argv in slurm.asked] == ["squeue", *["sacct"] * asked]


def test_one_question_for_all_jobs():
    slurm = cluster()
    job_infos(slurm, {"8": "a", "7": "b"})
    assert [argv[argv.index("-j") + 1] for argv in slurm.asked] == ["7,8", "7,8"]
    assert job_infos(Answers(), {}).infos == {}


def test_a_long_list_is_asked_in_parts():
    """Linux takes 128 KiB as one word of a command."""
    slurm = cluster(queued("100007"))
    ids = [str(100000 + number) for number in range(2 * CHUNK + 1)]
    known = job_infos(slurm, dict.fromkeys(ids, "tok"))
    assert list(known.infos) == [("100007", None)]
    lists = [argv[argv.index("-j") + 1] for argv in slurm.asked if argv[0] == "squeue"]
    assert max(map(len, lists)) < 128 * 1024
    assert ",".join(lists).split(",")[: len(ids)] == ids
    subprocess.run(["true", max(lists, key=len)], check=True)


# -- tokens ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "nodes", "job"),
    [("FAILED", "", None), ("FAILED", "None assigned", None), ("FAILED", "n1", "7"), ("PENDING", "", "7")],
)
def test_a_job_that_was_refused_as_it_came_is_none(state, nodes, job):
    """slurmctld keeps a record of what sbatch says it has refused."""
    line = found(state=state, nodes=nodes)
    assert find_token(cluster(line, ""), "tok", 1700000000) == job
    assert find_token(cluster("", line), "tok", 1700000000) == job


@pytest.mark.parametrize(
    ("squeue", "sacct", "job"),
    [
        (found(), "", "7"), (found(comment="(null)", name="plan.step.tok"), "", "7"), (found("7_3"), "", "7"),
        (found(comment="tokens", name="x.token"), "", None), ("", found("9"), "9"),
        ("", found("9_[1-3]", "", "a.tok"), "9"), ("7\n", "", None), (found("8", "x|tok|\n", "y\ntok"), found("9"), "9"),
    ],
    ids=range(8),  # the rows have the separator, which is another one in each process
)  # fmt: skip
def test_a_job_is_found_by_its_token(squeue, sacct, job):
    assert find_token(cluster(squeue, sacct), "tok", 1700000000) == job


def test_no_token_finds_nothing():
    assert find_token(cluster(found(comment="", name="")), "", 0) is None


def test_accounting_is_asked_from_long_enough_before(monkeypatch):
    """The clock of this machine may have been set, or be another than that of the cluster."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    slurm = cluster()
    assert find_token(slurm, "tok", 1700000000) is None
    argv = slurm.asked[1]
    assert argv[argv.index("-S") + 1] == "2023-11-13T22:13:20"
    assert argv[argv.index("-u") + 1]


def test_what_cannot_be_asked_does_not_know():
    with pytest.raises(CommandError, match="squeue: slurm_load_jobs error: Unable to contact"):
        find_token(cluster(UNREACHABLE), "tok", 0)
    with pytest.raises(CommandError, match="sacct: sacct: error: Problem talking"):
        find_token(cluster("", NO_DATABASE), "tok", 0)
    assert find_token(cluster("", NO_DATABASE, scontrol=CONFIG.format("none")), "tok", 0) is None
    assert find_token(Answers({"squeue": ""}), "tok", 0) is None
