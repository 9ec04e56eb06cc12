"""Submitit's jobs on Slurm: what they know of themselves, and how they are cancelled."""

import pickle

import pytest

from launchers.commands import CommandError
from launchers.jobs.backend import JobAnswer, JobInfo
from launchers.slurm import watch as room
from launchers.slurm.watch import TokenJob, TokenWatcher, element_of


class Slurm:
    """Says what a test puts into `answer`, and keeps what it was asked."""

    def __init__(self):
        self.answer, self.asked, self.now = JobAnswer(), [], 1000.0

    def job_infos(self, connector, jobs, elements):
        self.asked.append((jobs, sorted(elements)))
        return self.answer

    def says(self, problem="", **states):
        infos = {element_of(id.removeprefix("j")): JobInfo(state, "why", "n1") for id, state in states.items()}
        self.answer = JobAnswer(infos, problem)


@pytest.fixture
def slurm(monkeypatch):
    slurm = Slurm()
    monkeypatch.setattr(room, "job_infos", slurm.job_infos)
    monkeypatch.setattr(room.time, "monotonic", lambda: slurm.now)
    monkeypatch.setattr(TokenJob, "watcher", TokenWatcher())
    return slurm


def test_a_job_has_the_state_that_slurm_says(slurm, tmp_path):
    job = TokenJob(tmp_path, "12_3", token="tok")
    slurm.says(j12_3="RUNNING")
    assert (job.state, job.done()) == ("RUNNING", False)
    assert job.get_info() == {"JobID": "12_3", "State": "RUNNING", "Reason": "why", "NodeList": "n1"}
    assert slurm.asked[0] == ({"12": "tok"}, [("12", 3)])


@pytest.mark.parametrize(("state", "done"), [
    ("PENDING", False), ("CONFIGURING", False), ("SUSPENDED", False), ("REQUEUED", False), ("COMPLETED", True),
    ("PREEMPTED", True), ("TIMEOUT", True), ("LOST", True),
])  # fmt: skip
def test_a_job_is_done_when_it_has_ended(slurm, tmp_path, state, done):
    slurm.says(j12=state)
    assert TokenJob(tmp_path, "12", token="tok").done() is done


def test_one_question_for_all_jobs_and_none_about_those_that_ended(slurm, tmp_path):
    jobs = [TokenJob(tmp_path, f"12_{number}", token="tok") for number in range(3)]
    slurm.says(j12_0="COMPLETED", j12_1="RUNNING", j12_2="PENDING")
    assert [job.state for job in jobs] == ["COMPLETED", "RUNNING", "PENDING"]
    slurm.now += 3
    assert jobs[1].state == "RUNNING"
    assert [elements for _, elements in slurm.asked] == [[("12", 0), ("12", 1), ("12", 2)], [("12", 1), ("12", 2)]]


def test_the_clock_of_the_wall_does_not_matter(slurm, tmp_path, monkeypatch):
    job = TokenJob(tmp_path, "12", token="tok")
    slurm.says(j12="PENDING")
    assert job.state == "PENDING"
    slurm.says(j12="RUNNING")
    monkeypatch.setattr(room.time, "time", lambda: 0.0)
    assert job.state == "PENDING"  # asked a moment ago
    slurm.now += 3
    assert job.state == "RUNNING"


def test_what_cannot_be_asked_is_not_known(slurm, tmp_path, caplog):
    job = TokenJob(tmp_path, "12", token="tok")
    slurm.says("squeue: away")
    for _ in range(3):
        slurm.now += 1000
        assert (job.state, job.done()) == ("UNKNOWN", False)
    assert "Slurm cannot be asked about jobs: squeue: away" in caplog.text


def test_a_job_that_slurm_does_not_know_is_lost_after_a_while(slurm, tmp_path):
    job = TokenJob(tmp_path, "12", token="tok")
    assert (job.state, job.done()) == ("UNKNOWN", False)
    slurm.now += 60
    slurm.says(j12="RUNNING")
    assert job.state == "RUNNING"
    slurm.says()
    for seconds, state in ((60, "RUNNING"), (100, "RUNNING"), (40, "RUNNING"), (100, "LOST")):
        slurm.now += seconds
        assert job.state == state
    assert job.done()


def test_a_job_of_several_tasks_and_one_from_a_pickle_know_their_token(slurm, tmp_path):
    job = TokenJob(tmp_path, "12", [0, 1], "tok")
    slurm.says(j12="RUNNING")
    assert (job.num_tasks, job.task(1).state) == (2, "RUNNING")
    TokenJob.watcher = TokenWatcher()
    again = pickle.loads(pickle.dumps(job))
    assert (again.token, again.state) == ("tok", "RUNNING")
    assert slurm.asked[-1][0] == {"12": "tok"}


def test_cancelling_names_the_token_and_says_what_failed(slurm, tmp_path, monkeypatch):
    cancelled = []

    def cancel(connector, elements, tokens):
        cancelled.append((elements, tokens))
        raise CommandError("scancel 12_3: away")

    monkeypatch.setattr(room, "cancel", cancel)
    job = TokenJob(tmp_path, "12_3", token="tok")
    with pytest.raises(CommandError, match="away"):
        job.cancel()
    job.cancel(check=False)
    assert cancelled == [([("12", 3)], {"12": "tok"})] * 2
