"""The states of nodes."""

import pytest

from launchers.slurm.read import read


@pytest.mark.parametrize(
    ("text", "usable"),
    [
        ("IDLE", True), ("MIXED+PLANNED", True), ("IDLE+CLOUD+POWERED_DOWN", True), ("ALLOCATED", True), ("idle~", True),
        ("IDLE+DRAIN", False), ("DOWN", False), ("DOWN*", False), ("idle*", False), ("drained", False), ("drng", False),
        ("DOWN+CLOUD+REBOOT_ISSUED", False), ("IDLE+CLOUD+MAINTENANCE+RESERVED", False), ("maint", False), ("FUTURE", False),
        ("mix", True), ("alloc", True), ("comp", True), ("COMPLETING", True),
    ],
)  # fmt: skip
def test_node_states(text, usable):
    assert read(f"NodeName=x State={text}").nodes[0].state.usable is usable
