"""The state of one job, from whichever command knows it."""

import pytest
from connectors import Answers

from launchers.slurm.states import JobState, job_state

SQUEUE, SCONTROL, SACCT = "squeue -h -a -j 7", "scontrol show job -o 7", "sacct -X -n -P -j 7"
SHOWN = "JobId=7 JobState=COMPLETED Reason=None ExitCode=0:0 NodeList=n1\n"


@pytest.mark.parametrize(
    ("answers", "state"),
    [
        ({SQUEUE: "RUNNING|None|n1|\n", SCONTROL: SHOWN}, JobState("RUNNING", "None", "n1", "")),
        ({SQUEUE: "", SCONTROL: SHOWN}, JobState("COMPLETED", "None", "n1", "0:0")),
        ({SQUEUE: (1, "Invalid job id"), SCONTROL: SHOWN}, JobState("COMPLETED", "None", "n1", "0:0")),
        ({SCONTROL: "JobId=7\n", SACCT: "CANCELLED by 0|None|n1|0:9\n"}, JobState("CANCELLED", "None", "n1", "0:9")),
        ({SACCT: "FAILED\n"}, JobState("UNKNOWN")),
        ({SCONTROL: "JobId=7 JobState=FAILED\n"}, JobState("FAILED")),
        ({}, JobState("UNKNOWN")),
    ],
)
def test_the_first_command_that_knows_it_counts(answers, state):
    assert job_state(Answers(answers), "7") == state


@pytest.mark.parametrize(("state", "ended"), [("FAILED", True), ("RUNNING", False), ("UNKNOWN", False)])
def test_states_that_never_change_again(state, ended):
    assert JobState(state).ended is ended
