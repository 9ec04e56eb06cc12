"""What squeue and sacct say of arrays, in the form of Slurm 22.05."""

import pytest

from launchers.commands import Outcome
from launchers.slurm.backend import ACCOUNT
from launchers.slurm.jobs import job_infos

TIMES = "1700000000|1700000000|Unknown|1700000009"
CANCELLED = f"44_[4-5%2]|CANCELLED by 0|None|None assigned|00:00:00|0:0|cpu|{TIMES}"
WAITS = f"44_[3-5]|PENDING|None|None assigned|00:00:00|0:0|cpu|{TIMES}"
RAN = f"44_0|COMPLETED|None|n1|00:00:05|0:0|cpu|{TIMES}"
NO_SUCH = Outcome(("x",), 1, "", "slurm_load_jobs error: Invalid job id specified")
AWAY = Outcome(("x",), 1, "", "slurm_load_jobs error: Unable to contact slurm controller (connect failure)")
ELEMENTS = {("44", number) for number in (0, 3, 4, 5)}


class Says:
    """A cluster that answers so."""

    def __init__(self, squeue, *sacct):
        self.answers = {"squeue": squeue, "sacct": Outcome(("x",), 0, "".join(f"{line}\n" for line in sacct), "")}

    def run(self, argv, **_):
        return self.answers[argv[0]]


def states(squeue, *sacct):
    infos = job_infos(Says(squeue, *sacct), ["44"], ELEMENTS)
    return {index: info.state for (_, index), info in infos.items()}


def test_elements_that_are_cancelled_together_have_one_line():
    assert states(NO_SUCH, RAN, CANCELLED) == {0: "COMPLETED", 3: "CANCELLED", 4: "CANCELLED", 5: "CANCELLED"}
    together = Outcome(("x",), 0, "44|4-5%2|CANCELLED||0:00|cpu|1|2|3|None\n", "")
    assert states(together, RAN, WAITS) == {0: "COMPLETED", 3: "CANCELLED", 4: "CANCELLED", 5: "CANCELLED"}


def test_an_element_that_neither_knows_was_cancelled_before_it_started():
    waiting = Outcome(("x",), 0, "44|5|PENDING||0:00|cpu|1|2|3|Dependency\n", "")
    assert states(waiting, RAN, WAITS) == {0: "COMPLETED", 3: "CANCELLED", 4: "CANCELLED", 5: "PENDING"}
    assert states(waiting) == {5: "PENDING"}  # no sacct: those that ended are not known


def test_nobody_is_thought_cancelled_while_the_controller_is_away():
    assert states(AWAY, RAN, WAITS) == {0: "COMPLETED", 3: "PENDING", 4: "PENDING", 5: "PENDING"}
    assert states(AWAY, RAN) == {0: "COMPLETED"}


@pytest.mark.parametrize(
    ("line", "names_it"),
    [
        ("#SBATCH --account=a", True),
        ("#SBATCH -A a", True),
        ("#SBATCH -p p -Aa", True),
        ("#SBATCH -p p", False),
        ("echo -A", False),
    ],
)
def test_a_script_that_names_its_account(line, names_it):
    """In its short form too: SBATCH_ACCOUNT of the environment would go before it."""
    assert bool(ACCOUNT.search(f"#!/bin/sh\n{line}\nexec work\n")) == names_it
