"""What scancel is given, and what is believed of it."""

import pytest
from connectors import Answers
from slurm_rows import NO_SUCH_JOB, UNREACHABLE, queued

from launchers.commands import CommandError
from launchers.slurm import cancel as room
from launchers.slurm.cancel import cancel


class Slurm(Answers):
    """Jobs, by the argument that cancels each; `obeys` is whether scancel does."""

    def __init__(self, jobs, scancel="", *, obeys=True):
        super().__init__({"scancel": scancel})
        self.jobs, self.obeys, self.cancelled = dict(jobs), obeys, []

    def run(self, argv, **keys):
        self.answers["squeue",] = "".join(self.jobs.values())
        if argv[0] == "scancel":
            self.cancelled += argv[1:]
            if self.obeys:
                self.jobs = {id: line for id, line in self.jobs.items() if not {id, id.partition("_")[0]} & set(argv)}
        return super().run(argv, **keys)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(room, "PATIENCE", 0.0)
    monkeypatch.setattr(room, "LOOK_AGAIN", 0.0)


ARRAY = {f"44_{number}": queued("44", number, "PENDING") for number in range(3)}
JOB = {"7": queued("7")}


@pytest.mark.parametrize(("elements", "ids"), [
    ([("7", None)], ["7"]), ([("44", 0), ("44", 2)], ["44_0", "44_2"]), ([("44", None), ("7", None)], ["44", "7"]),
    ([("44", None), ("44", 1)], ["44"]), ([("9", None)], []), ([("44", 9)], []), ([], []),
])  # fmt: skip
def test_what_still_is_there_is_cancelled(elements, ids):
    slurm = Slurm({**ARRAY, **JOB})
    cancel(slurm, elements, dict.fromkeys(("7", "44", "9"), "tok"))
    assert slurm.cancelled == ids


@pytest.mark.parametrize("identity", [{"comment": "other", "name": "precious"}, {"comment": "(null)"}, {"state": "COMPLETED"},
    {"state": "COMPLETING"}, {"state": "CANCELLED"}])  # fmt: skip
def test_somebody_elses_job_and_one_that_has_ended_are_left_alone(identity):
    slurm = Slurm({"7": queued("7", **identity)})
    cancel(slurm, [("7", None)], {"7": "tok"})
    assert slurm.cancelled == []


def test_without_a_token_nothing_is_cancelled():
    slurm = Slurm(JOB)
    cancel(slurm, [("7", None)], {})
    assert slurm.cancelled == []


@pytest.mark.parametrize(("scancel", "words"), [
    ((210, "scancel: error: Kill job error on job id 7: Access/permission denied"), "scancel 7: .*permission denied"),
    ("", "scancel 7: they have not ended"),
])  # fmt: skip
def test_a_job_that_is_still_there_was_not_cancelled(scancel, words):
    with pytest.raises(CommandError, match=words):
        cancel(Slurm(JOB, scancel, obeys=False), [("7", None)], {"7": "tok"})


def test_a_failure_that_left_nothing_is_none():
    """A job may end by itself before scancel comes to it."""
    cancel(Slurm(JOB, (1, "Job/step already completing or completed")), [("7", None)], {"7": "tok"})


def test_a_scancel_that_is_not_there():
    with pytest.raises(CommandError, match="scancel 7: there is no command scancel"):
        cancel(Answers({"squeue": queued()}), [("7", None)], {"7": "tok"})


@pytest.mark.parametrize("squeue", [UNREACHABLE, NO_SUCH_JOB])
def test_nothing_is_known_while_squeue_fails(squeue):
    with pytest.raises(CommandError, match="squeue: slurm_load_jobs error"):
        cancel(Answers({"squeue": squeue, "scancel": ""}), [("7", None)], {"7": "tok"})


def test_many_are_cancelled_in_parts(monkeypatch):
    monkeypatch.setattr(room, "CHUNK", 2)
    slurm = Slurm({**ARRAY, **JOB})
    cancel(slurm, [("44", 0), ("44", 1), ("44", 2)], {"44": "tok"})
    assert [argv[1:] for argv in slurm.asked if argv[0] == "scancel"] == [("44_0", "44_1"), ("44_2",)]


def test_a_long_failure_is_told_shortly():
    many = {f"44_{number}": queued("44", number, "PENDING") for number in range(25)}
    with pytest.raises(CommandError, match=r"^scancel 44_0( 44_\d+){9} and 15 more: away$"):
        cancel(Slurm(many, (1, "away"), obeys=False), [("44", number) for number in range(25)], {"44": "tok"})
