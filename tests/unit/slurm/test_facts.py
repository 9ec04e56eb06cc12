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
        ("MIXED+DOWN", False), ("ERROR", False), ("UNKNOWN", False), ("FAIL", False), ("FAILING", False), ("unk", False),
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
        ("IDLE+DYNAMIC_NORM", NodeState("IDLE", frozenset({"DYNAMIC_NORM"}))),
        ("DOWN,IDLE", NodeState("DOWN", frozenset({"IDLE"}))),
        ("", None),
        ("n/a", None),
    ],
)
def test_base_and_flags(text, state):
    assert read_node_state(text) == state


SPELLINGS = {
    # man sinfo, NODE STATE CODES, with the short words of %t and what older versions printed
    True: {
        "allocated": "alloc", "allocated+": "alloc+", "blocked": "block", "completing": "comp", "idle": "idle",
        "mixed": "mix", "perfctrs": "npc", "planned": "plnd", "power_down": "pow_dn", "powered_down": "pow_dn",
        "powering_up": "pow_up", "power_up": "pow_up", "reserved": "resv", "reboot@": "boot@",
        "reboot_requested": "reboot_requested", "powering_down": "powering_down",
    },
    False: {
        "down": "down", "drained": "drain", "draining": "drng", "fail": "fail", "failing": "failg", "future": "futr",
        "inval": "inval", "invalid": "inval", "maint": "maint", "reboot_issued": "reboot_issued", "reboot^": "boot^",
        "unknown": "unk", "error": "err", "no_respond": "no_respond",
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "usable"),
    [(word, usable) for usable, words in SPELLINGS.items() for pair in words.items() for word in pair],
)
@pytest.mark.parametrize("form", [str.lower, str.upper])
def test_every_word_for_a_state(text, usable, form):
    assert read_node_state(form(text)).usable is usable


@pytest.mark.parametrize(("text", "usable"), [("IDLE+INVALID_REG", False), ("IDLE+DRAIN+INVALID_REG", False)])
def test_flags_in_the_words_of_scontrol(text, usable):
    assert read_node_state(text).usable is usable


@pytest.mark.parametrize("text", ["gpu:4", "idel", "+", "*"])
def test_a_word_that_is_no_state(text):
    with pytest.raises(ValueError, match="is no state of a node"):
        read_node_state(text)
