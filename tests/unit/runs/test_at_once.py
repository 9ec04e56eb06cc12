"""Several commands on one run at the same moment: no job is doubled, and none is left behind."""

import random
import shutil
from collections import Counter
from pathlib import Path

import pytest
from at_once import AtOnce
from effort import LONG
from fake_slurm import jobs, plan, submit_plan
from killed import Clients

from launchers.runs.run import open_run
from launchers.runs.send import SubmitError, resume

ROUNDS = 50 if LONG else 2
MANY = 4

pytestmark = pytest.mark.timeout(1800)


@pytest.fixture
def at_once(slurm):
    with AtOnce() as server:
        yield server


@pytest.fixture
def killed(slurm):
    """Makes runs whose client was killed at a moment after plan.json was written; yields their folders."""
    with Clients(submit_plan) as clients:
        points = clients.count()
        forget(slurm)

        def folders():
            chance = random.Random(1)
            for _ in range(ROUNDS):
                clients.kill(at=chance.randrange(points // 4, points * 4 // 5))
                for folder in list(Path("runs").glob("*")):
                    if (folder / "plan.json").exists():
                        yield folder
                forget(slurm)

        yield folders()


def forget(slurm):
    """Remove the runs and what the cluster knows of them."""
    shutil.rmtree("runs", ignore_errors=True)
    for name in ("jobs", "calls", "cancelled", "trouble"):
        (slurm / name).unlink(missing_ok=True)


def printed(count):
    return [Path(f"out.{number}").read_text() for number in range(count)]


def not_doubled(slurm):
    tokens = Counter(comment for _, comment, *_ in jobs(slurm))
    return set(tokens.values()) <= {1}


def alive(slurm):
    """The jobs that nobody cancelled."""
    path = slurm / "cancelled"
    cancelled = {word.partition("_")[0] for word in path.read_text().split()} if path.exists() else set()
    return [id for id, *_ in jobs(slurm) if id not in cancelled]


def test_resume_by_many(slurm, at_once, killed):
    for folder in killed:
        statuses = at_once(*[["resume", str(folder)]] * MANY)
        assert 0 in statuses, printed(MANY)
        assert set(statuses) <= {0, 2}, printed(MANY)
        assert not_doubled(slurm)
        assert len(jobs(slurm)) == 4
        assert sorted(open_run(folder).record.folder.journal.state().jobs) == sorted(
            open_run(folder).record.submissions_by_name
        )


def test_retry_by_many(slurm, at_once):
    for _ in range(ROUNDS):
        run = plan().submit()
        assert at_once(["cancel", str(run.folder)]) == [0], printed(1)
        statuses = at_once(*[["retry", str(run.folder)]] * MANY)
        assert 0 in statuses, printed(MANY)
        assert set(statuses) <= {0, 1, 2}, printed(MANY)
        assert not_doubled(slurm)
        assert len(jobs(slurm)) == 8, printed(MANY)
        assert len(alive(slurm)) == 4
        forget(slurm)


def test_resume_and_cancel(slurm, at_once, killed):
    """Whichever comes first: when both have ended, no job is left that nobody cancelled."""
    for folder in killed:
        statuses = at_once(["resume", str(folder)], ["cancel", str(folder)])
        assert set(statuses) <= {0, 1, 2}, printed(2)
        assert not_doubled(slurm)
        if statuses[1] == 0:
            assert alive(slurm) == [], printed(2)


def test_clean_and_resume(slurm, at_once):
    """A run that a refusal ended is removed with nothing left in the queue, or it is kept and goes on."""
    for _ in range(ROUNDS):
        (slurm / "trouble").write_text("2 no Invalid qos specification\n")
        with pytest.raises(SubmitError):
            plan().submit()
        (folder,) = Path("runs").iterdir()
        (slurm / "trouble").unlink()
        statuses = at_once(["clean", "--yes", str(folder)], ["resume", str(folder)])
        assert set(statuses) <= {0, 1, 2}, printed(2)
        assert not_doubled(slurm)
        if not folder.exists():
            assert alive(slurm) == [], printed(2)
        else:
            assert {step.name for step in resume(folder).status()} == {"a", "b", "c", "m"}
            assert not_doubled(slurm)
        forget(slurm)
