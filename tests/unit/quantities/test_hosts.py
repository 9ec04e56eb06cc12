"""Host lists: what is one, how many hosts it has, and that expanding and folding agree."""

import re

import pytest
from ClusterShell.NodeSet import NodeSet
from hypothesis import example, given, settings
from hypothesis import strategies as st

from launchers.quantities.hosts import MAX_HOSTS, count_hosts, expand_hosts, fold_hosts, host_set, join_hosts


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("n1", 1),
        ("n1,n1", 2),
        ("n[01-16]", 16),
        ("n[1-9/2]", 5),
        ("n[1-8/3]", 3),
        ("n[7]", 1),
        ("n[5-5]", 1),
        ("n[0-10]", 11),
        ("n[08-12]", 5),
        ("rack[1-4]-n[01-16],login", 65),
        ("n[1,3-4]x[1-2]", 6),
        (f"n[1-{MAX_HOSTS}]", MAX_HOSTS),
    ],
)
def test_the_hosts_of_a_list_are_counted(text, count):
    assert count_hosts(text) == count


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "'' has an empty host name"),
        ("n1,,n2", "'n1,,n2' has an empty host name"),
        ("n[01-", "'n[01-' has a [ without its ], or a ] without its ["),
        ("n1]", "'n1]' has a [ without its ]"),
        ("@all", "'@all' is not a host name: use letters, digits, . _ - and ranges in [ ]"),
        ("n]1[", "'n]1[' is not a host name"),
        ("n[1-2][3-4]", "'n[1-2][3-4]' has two ranges with no letter between them"),
        ("n[1-2]0[3-4]", "'n[1-2]0[3-4]' has two ranges with no letter between them"),
        ("n[a-b]", "[a-b] is not a range of numbers such as [01-16]"),
        ("n[]", "[] is not a range of numbers"),
        (f"n[{'1' * 31}]", f"[{'1' * 31}] is not a range of numbers"),
        (f"n{'1' * 31}", f"'n{'1' * 31}' has a number of more than 30 digits"),
        ("n[5-1]", "the range 5-1 goes backwards: write the smaller number first"),
        ("n[1-5/0]", "the range 1-5/0 has a step of 0: a step is 1 or more"),
        ("n[01-3]", "the range 01-3 mixes widths: write both numbers with the same number of digits"),
        ("n[0-03]", "the range 0-03 mixes widths"),
        (f"n[0-{MAX_HOSTS}]", f"'n[0-{MAX_HOSTS}]' has {MAX_HOSTS + 1} hosts; at most {MAX_HOSTS} are allowed"),
    ],
)
def test_text_that_is_not_a_host_list(text, reason):
    with pytest.raises(ValueError, match=re.escape(reason)):
        count_hosts(text)


@settings(max_examples=500, deadline=None)
@given(st.text(alphabet="nm019[]-,/_.@!^ ", min_size=1, max_size=14))
@example("n[1]2[3]")
@example("n[0-01]")
@example("n[0-9]x[1-2,5],n[08-12]")
def test_a_list_that_can_be_counted_can_be_expanded(text):
    try:
        count = count_hosts(text)
    except ValueError:
        return
    assert len(NodeSet(text)) <= count


def test_a_list_with_ranges_is_expanded_and_sorted():
    assert expand_hosts("n[2-3],n1,b") == ["b", "n1", "n2", "n3"]
    assert expand_hosts("z,n1") == ["z", "n1"]
    assert expand_hosts("") == []
    with pytest.raises(ValueError, match="goes backwards"):
        expand_hosts("n[5-1]")


def test_names_are_folded_and_sorted():
    assert fold_hosts([]) == ""
    assert fold_hosts(["n1", "n1"]) == "n1"
    assert fold_hosts(["n03", "n01", "n02", "n01"]) == "n[01-03]"
    assert fold_hosts(["n3", "n1", "gpu7"]) == "gpu7,n[1,3]"


@pytest.mark.parametrize(("hosts", "text"), [(None, ""), ("n[1-2]", "n[1-2]"), (("n1", "m[1-2]"), "n1,m[1-2]")])
def test_the_hosts_of_a_file_are_joined(hosts, text):
    assert join_hosts(hosts) == text


@pytest.mark.parametrize("text", ["@all", "@*", "*", "n1,@x:y", "n1!n2", "n1&n2", "n1^n2", "n1 n2", "n*"])
def test_groups_of_hosts_are_not_looked_up(text):
    """What clush calls groups may be commands to run."""
    with pytest.raises(ValueError, match="is not a host name"):
        host_set(text)


def test_names_that_no_host_can_have_are_kept_as_they_are():
    assert fold_hosts(["n2", "@all", "n1", "*", f"n{'1' * 400}"]) == f"n[1-2],*,@all,n{'1' * 400}"
    assert fold_hosts(["n2", "n1", "n[5-1]", "n[a-b]", "n[3-4]"]) == "n[1-2],n[3-4],n[5-1],n[a-b]"


@settings(max_examples=300, deadline=None)
@given(st.lists(st.text(max_size=8) | st.text("n[]-,/:15", max_size=8), max_size=4))
def test_folding_takes_any_names(names):
    folded = fold_hosts(names)
    assert all(name in folded for name in names if not name.isascii() or "[" in name)
