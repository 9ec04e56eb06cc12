"""What a cluster does now."""

import pytest
from connectors import Answers

from launchers.offer.model import Signal
from launchers.slurm.live import live_signals, read_signals

SINFO = "a|idle|3\na|mix|2\na|idle*|7\nb|drain|4\nb|idle~|1\nb|idle#|1\nb|mix-|1\nb|idle|x\nc|idle$|1\nc\n"
SQUEUE = "a\na,b\nb\n\nd\n"
SIGNALS = {"a": Signal(3, 2, 2), "b": Signal(2, 1, 2), "c": Signal(0, 0, 0)}


def test_idle_and_mixed_nodes_and_waiting_jobs():
    assert read_signals(SINFO, SQUEUE) == SIGNALS
    assert live_signals(Answers({"sinfo": SINFO, "squeue": SQUEUE})) == SIGNALS


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({}, "there is no command sinfo"),
        ({"sinfo": (1, "no controller\n")}, "sinfo: no controller"),
        ({"sinfo": SINFO}, "there is no command squeue"),
        ({"sinfo": SINFO, "squeue": (1, "no controller\n")}, "squeue: no controller"),
    ],
)
def test_why_there_are_no_signals(answers, message):
    assert live_signals(Answers(answers)) == message
