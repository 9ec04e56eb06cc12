"""The states of jobs and the reasons of waiting, in words."""

import pytest

from launchers.jobs.state import ENDED, REASONS, UNKNOWN, base, in_words


@pytest.mark.parametrize(("printed", "state"), [
    ("RUNNING", "RUNNING"), ("running", "RUNNING"), (" COMPLETED ", "COMPLETED"), ("CANCELLED by 1000", "CANCELLED"),
    ("RUNNING+", "RUNNING"), ("CANCELLED+", "CANCELLED"), ("DOWN*", "DOWN"), ("OUT_OF_ME+", "OUT_OF_ME"),
    ("", UNKNOWN), ("  ", UNKNOWN),
])  # fmt: skip
def test_a_state_without_what_slurm_hangs_on_it(printed, state):
    assert base(printed) == state


@pytest.mark.parametrize("state", ["PENDING", "RUNNING", "COMPLETING", "REQUEUED", "SUSPENDED", UNKNOWN])
def test_states_that_still_change(state):
    assert state not in ENDED


@pytest.mark.parametrize(("reason", "words"), [
    ("Dependency", "waits for another job"),
    ("(Dependency)", "waits for another job"),
    ("Resources", "waits for nodes to become free"),
    ("ReqNodeNotAvail, UnavailableNodes:n[1-3]", "waits for nodes that are down, drained or reserved"),
    ("(ReqNodeNotAvail, UnavailableNodes:)", "waits for nodes that are down, drained or reserved"),
    ("QOSMinGRES", "asks for fewer GPUs than its QoS wants: it can never start"),
    ("SomethingNew", "SomethingNew"),
    ("(SomethingNew, with more)", "SomethingNew, with more"),
    ("", ""),
])  # fmt: skip
def test_reasons(reason, words):
    assert in_words(reason) == words


@pytest.mark.parametrize(("reason", "words"), [
    ("Job's account not permitted to use this partition (gpu allows a,b not c)",
     "asks for a partition that its account may not use: it can never start: gpu allows a,b not c"),
    ("(Job's QOS not permitted to use this partition (gpu allows q not r))",
     "asks for a partition that its QoS may not use: it can never start: gpu allows q not r"),
    ("Job's_account_not_permitted_to_use_this_partition_(gpu_allows_a_not_c)",
     "asks for a partition that its account may not use: it can never start: gpu allows a not c"),
    ("Job's account not permitted", "asks for a partition that its account may not use: it can never start"),
])  # fmt: skip
def test_reasons_that_go_on_with_who_may(reason, words):
    assert in_words(reason) == words


def test_every_reason_is_a_sentence_without_its_end():
    assert all(words[:1].islower() and not words.endswith(".") for words in REASONS.values())
