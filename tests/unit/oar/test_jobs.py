"""What is asked of OAR about jobs, and how they are deleted: an id counts only with its token."""

import time

import pytest
from connectors import Answers
from fake_oar import oarstat
from fake_oar import record as job

from launchers.commands import CommandError, Outcome
from launchers.jobs.backend import JobAnswer
from launchers.oar.jobs import CHUNK, LONGEST_NAME, delete, find_token, job_answer, named

TOKENS = {"5": "t-5", "7": "t-7"}
DELETED = [{"type": "FRAG_JOB_REQUEST", "description": "User me requested to frag the job 5"}]


def ours(id, *, array=None, **more):
    """A record of a job of ours."""
    return job(id, array=array, name=f"p.a.t-{array or id}", **more)


def answer(*records, tokens=TOKENS):
    return job_answer(Answers({"oarstat": oarstat(*records)}), tokens)


def infos(*records):
    return {element: info.state for element, info in answer(*records).infos.items()}


# -- asking ----------------------------------------------------------------------------------------------------


def test_an_array_of_one_is_asked_about_as_either():
    assert infos(ours(5)) == {("5", None): "RUNNING", ("5", 0): "RUNNING"}
    assert infos(ours(7), ours(8, array=7, index=2, state="Waiting")) == {("7", 0): "RUNNING", ("7", 1): "PENDING"}


def test_nothing_is_asked_of_no_job():
    answers = Answers({})
    assert job_answer(answers, {}) == JobAnswer()
    assert job_answer(answers, {"of another scheduler": "t"}) == JobAnswer()
    assert answers.asked == []


def test_a_scheduler_that_cannot_be_asked_is_not_one_that_knows_nothing():
    assert job_answer(Answers({}), TOKENS) == JobAnswer({}, "there is no command oarstat")
    assert job_answer(Answers({"oarstat": (1, "# no database\n")}), TOKENS).problem == "oarstat: no database"
    assert "cannot be read" in job_answer(Answers({"oarstat": "null"}), TOKENS).problem
    assert job_answer(Answers({"oarstat": oarstat()}), TOKENS) == JobAnswer()
    # oarstat ends with 0 also when its database has gone away
    assert "its database gave no answer" in job_answer(Answers({"oarstat": ""}), TOKENS).problem


@pytest.mark.parametrize("name", ["", "t-5", "p.a.t-6", "p.a.t-55", "p.a.t-5.more", None])
def test_an_id_that_is_used_again_is_another_job(name):
    """A database that was made anew counts from 1 again: other people's jobs have our ids."""
    assert infos(job(5, name=name), ours(7)) == {("7", None): "RUNNING", ("7", 0): "RUNNING"}


def test_a_job_without_a_token_is_nobodys():
    assert not answer(ours(5), job(7, name="x."), tokens={"5": "", "7": ""}).infos


def test_many_jobs_are_asked_about_in_several_questions():
    ids = [str(id) for id in range(1, 2 * CHUNK + 2)]
    answers = Answers({"oarstat": oarstat()})
    assert job_answer(answers, dict.fromkeys(ids, "t")) == JobAnswer()
    assert [argv[-1].count(",") + 1 for argv in answers.asked] == [CHUNK, CHUNK, 1]
    assert max(len(argv[-1]) for argv in answers.asked) < 100_000


def test_what_was_answered_before_a_failure_counts():
    class Failing(Answers):
        def run(self, argv, **_):
            self.asked.append(argv)
            if len(self.asked) == 1:
                return Outcome(tuple(argv), 0, oarstat(job(1, name="x.t")), "")
            raise CommandError("no answer")

    found = job_answer(Failing(), {str(id): "t" for id in range(1, CHUNK + 9)})
    assert found.infos["1", None].state == "RUNNING"
    assert found.problem == "no answer"


def test_what_is_told_of_a_job():
    record = ours(
        9, array=5, state="Terminated", exit_code=256, assigned_network_address=["n1", "n2"], queue="night",
        submissionTime=10, startTime=20, stopTime=50,
    )  # fmt: skip
    info = answer(record).infos["5", None]
    assert (info.state, info.exit, info.nodes, info.partition, info.job) == ("FAILED", "1", "n1,n2", "night", "9")
    assert (info.submitted, info.started, info.ended, info.elapsed) == (10, 20, 50, "30 s")


def test_what_is_told_of_a_job_that_has_not_started():
    info = answer(ours(5, state="Waiting", message="no resources")).infos["5", None]
    assert (info.state, info.reason, info.exit, info.elapsed) == ("PENDING", "no resources", "", "")
    assert (info.submitted, info.started, info.ended) == (None, None, None)


def test_a_job_that_runs_counts_until_now():
    started = int(time.time()) - 100
    info = answer(ours(5, startTime=started)).infos["5", None]
    assert 99 <= int(info.elapsed.removesuffix(" s")) <= 110
    assert info.ended is None
    assert answer(ours(5, startTime=started + 9999)).infos["5", None].elapsed == "0 s"  # another machine's clock


def test_a_job_whose_parent_failed_counts_as_cancelled():
    info = answer(ours(5, state="Terminated", exit_code=113 << 8)).infos["5", None]
    assert (info.state, info.reason, info.exit) == ("CANCELLED", "parent failed", "113")


def test_a_token_is_the_end_of_a_name():
    answers = Answers({"oarstat": oarstat(job(8, name="x.tx0"), job(9, array=7, name="p.a.t_0"))})
    assert find_token(answers, "t_0") == "7"
    assert answers.asked[0][-1].startswith("(job_name LIKE '%.t_0') OR ")  # _ stands for any letter there
    assert find_token(Answers({"oarstat": oarstat()}), "t") is None
    with pytest.raises(CommandError):
        find_token(Answers({}), "t")


def test_names_are_as_long_as_the_database_takes():
    assert named("p.a", "t-1") == "p.a.t-1"
    assert named("s" * 200, "t-1") == "s" * (LONGEST_NAME - 4) + ".t-1"


# -- deleting --------------------------------------------------------------------------------------------------


class Oar:
    """An OAR with these jobs, where oardel does what `deletes` does with a job, and ends with a status."""

    def __init__(self, *records, deletes=lambda record: record | {"events": DELETED}, status=0, words="REGISTERED"):
        self.records = {record["Job_Id"]: record for record in records}
        self.deletes, self.status, self.words = deletes, status, words
        self.deleted = []

    def run(self, argv, **_):
        if argv[0] == "oarstat":
            return Outcome(tuple(argv), 0, oarstat(*self.records.values()), "")
        self.deleted.append(argv[1:])
        for id in map(int, argv[1:]):
            self.records[id] = self.deletes(self.records[id])
        return Outcome(tuple(argv), self.status, self.words, "")


def test_jobs_are_deleted_under_the_ids_that_they_have_now():
    oar = Oar(
        ours(5), ours(9, array=5), ours(7), ours(8, array=7, index=2), ours(20, state="Terminated", exit_code=0)
    )  # fmt: skip
    delete(oar, [("5", None), ("7", 1), ("20", None)], {**TOKENS, "20": "t-20"})
    assert oar.deleted == [("8", "9")] or oar.deleted == [("9", "8")]
    delete(oar, [("20", None)], {"20": "t-20"})
    assert len(oar.deleted) == 1  # there is nothing to delete


def test_somebody_elses_job_with_our_id_is_left_alone():
    oar = Oar(job(5, name="precious"), ours(7))
    delete(oar, [("5", None), ("7", None), ("9", None)], TOKENS)
    assert oar.deleted == [("7",)]
    delete(oar, [("5", None)], {"5": ""})
    assert oar.deleted == [("7",)]


def test_an_oardel_that_fails_is_told():
    oar = Oar(ours(5), deletes=lambda record: record, status=1, words="Cannot frag 5 ; You are not the right user.")
    with pytest.raises(CommandError, match=r"oardel did not delete job 5: Cannot frag 5 ; You are not the right user"):
        delete(oar, [("5", None)], TOKENS)


def test_an_oardel_that_only_says_so_is_told():
    with pytest.raises(CommandError, match="oardel did not delete jobs 5, 7, although it did not fail"):
        delete(Oar(ours(5), ours(7), deletes=lambda record: record), [("5", None), ("7", None)], TOKENS)


def test_an_oardel_that_fails_for_what_has_ended_meanwhile_has_not_failed():
    oar = Oar(ours(5), deletes=lambda record: record | {"state": "Terminated", "exit_code": 0}, status=6)
    delete(oar, [("5", None)], TOKENS)


def test_what_is_submitted_again_meanwhile_is_deleted_too():
    oar = Oar(ours(5))

    def preempt(record):
        oar.deletes = lambda again: again | {"events": DELETED}
        oar.records[11] = ours(11, array=5, state="Waiting")
        return record | {"state": "Error"}

    oar.deletes = preempt
    delete(oar, [("5", None)], TOKENS)
    assert oar.deleted == [("5",), ("11",)]


def test_a_cancellation_while_oar_cannot_be_asked_fails():
    for answers in ({}, {"oarstat": (1, "no database")}, {"oarstat": "[1]"}, {"oarstat": ""}, {"oarstat": "{}"}):
        with pytest.raises(CommandError):
            delete(Answers(answers), [("5", None)], TOKENS)


def test_many_jobs_are_deleted_with_several_commands():
    count = CHUNK + 5
    oar = Oar(*(job(id, array=1, index=id, name="x.t") for id in range(1, count + 1)))
    delete(oar, [("1", None)], {"1": "t"})
    assert [len(ids) for ids in oar.deleted] == [CHUNK, 5]
