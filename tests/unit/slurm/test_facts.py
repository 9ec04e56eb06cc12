"""The states of nodes, in scontrol's and in sinfo's form."""

import pytest

from launchers.slurm.facts import NodeState, read_node_state


@pytest.mark.parametrize(
    ("text", "usable"),
    [
        ("IDLE", True), ("MIXED+PLANNED", True), ("IDLE+CLOUD+POWERED_DOWN", True), ("ALLOCATED", True), ("idle~", True),
        ("idle#", True), ("idle%", True), ("idle!", True), ("idle@", True), ("idle-", True), ("idle+", True),
        ("IDLE+DRAIN", False), ("DOWN", False), ("DOWN*", False), ("idle*", False), ("drained", False), ("drng", False),
        ("DOWN+CLOUD+REBOOT_ISSUED", False), ("IDLE+CLOUD+MAINTENANCE+RESERVED", False), ("maint", False), ("FUTURE", False),
        ("mix", True), ("alloc", True), ("comp", True), ("COMPLETING", True), ("idle$", False), ("idle^", False),
        ("MIXED+DOWN", False), ("ERROR", False), ("UNKNOWN", False), ("FAIL", False), ("FAILING", False), ("", False),
        ("IDLE*+CLOUD", False), ("MIXED+FAIL", False), ("MIXED+FUTURE", True), ("IDLE+NOT_RESPONDING", False),
    ],
)  # fmt: skip
def test_whether_jobs_can_start(text, usable):
    assert read_node_state(text).usable is usable


@pytest.mark.parametrize(
    ("text", "state"),
    [
        (" idle~ ", NodeState("IDLE", frozenset({"POWERED_DOWN"}))),
        ("mix+*", NodeState("MIXED", frozenset({"COMPLETING", "NOT_RESPONDING"}))),
        ("IDLE*+CLOUD", NodeState("IDLE", frozenset({"CLOUD", "NOT_RESPONDING"}))),
        ("", NodeState("UNKNOWN")),
    ],
)
def test_base_and_flags(text, state):
    assert read_node_state(text) == state
