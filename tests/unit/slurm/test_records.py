"""The records that scontrol prints, as keys and values."""

import pytest

from launchers.slurm.records import read_records as read_lines


def read_records(text):
    lines = text.split("\n")
    return read_lines(lines, range(1, len(lines) + 1), lambda line: line.startswith("$"))


def pairs(text):
    found = read_records(text)
    assert found.problems == []
    return [(record.kind, record.line, record.pairs) for record in found.records]


def test_records_of_all_kinds_on_one_line_or_many():
    assert pairs("NodeName=a X=1 Y=2\n   Z=3\n\nPartitionName=p\n   X=1\nReservationName=r X=1\nNodeName=b\n") == [
        ("NodeName", 1, {"NodeName": "a", "X": "1", "Y": "2", "Z": "3"}),
        ("PartitionName", 4, {"PartitionName": "p", "X": "1"}),
        ("ReservationName", 6, {"ReservationName": "r", "X": "1"}),
        ("NodeName", 7, {"NodeName": "b"}),
    ]


def test_records_may_be_indented():
    assert [name for _, _, name in pairs("  NodeName=a X=1\n  NodeName=b\n")] == [
        {"NodeName": "a", "X": "1"}, {"NodeName": "b"},
    ]  # fmt: skip


def test_a_node_may_name_its_reservation():
    assert pairs("NodeName=a\n   ReservationName=r\n   X=1\n") == [
        ("NodeName", 1, {"NodeName": "a", "ReservationName": "r", "X": "1"})
    ]
    assert len(pairs("NodeName=a\nReservationName=r\n")) == 2
    assert len(pairs("PartitionName=p\n   ReservationName=r\n")) == 2


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Reason=no power [root@2023]", "no power [root@2023]"), ("Reason=a=b c", "a=b c"), ("Reason=", ""), ("Reason= x", "x"),
        ("Reason=a State=IDLE", "a"), ("Reason=a\n   b", "a b"), ("Reason=a Foo=b", "a Foo=b"),
    ],
)  # fmt: skip
def test_free_text_ends_at_a_key_that_slurm_prints_behind_it(text, value):
    ((_, _, found),) = pairs(f"NodeName=a {text}\n")
    assert found["Reason"] == value


def test_reservations_wrap_their_values():
    ((_, _, found),) = pairs("ReservationName=r TRES=cpu=1\n   Users=a,b Groups=(null)\n   more\n")
    assert found == {"ReservationName": "r", "TRES": "cpu=1", "Users": "a,b", "Groups": "(null) more"}


def test_older_versions_have_a_key_with_colons():
    ((_, _, found),) = pairs("NodeName=a S:C:T=2:8:2\n")
    assert found["S:C:T"] == "2:8:2"


def test_a_line_between_interrupts_a_record_only():
    found = read_records("NodeName=a\n   X=1\n--More--\n   State=IDLE Y=2\nNodeName=b\n   X=1\n\n   State=IDLE\n")
    assert [record.pairs for record in found.records] == [
        {"NodeName": "a", "X": "1", "State": "IDLE", "Y": "2"}, {"NodeName": "b", "X": "1"},
    ]  # fmt: skip
    assert [line for _, line in found.rest if line] == ["--More--", "   State=IDLE"]
    assert read_records("NodeName=a\n$ scontrol\n   State=IDLE\n").records[0].pairs == {"NodeName": "a"}


def test_lines_that_belong_to_no_record():
    found = read_records("hello\n   world\nNodeName=a\nhello again\n  X=1\n")
    assert found.rest == [(1, "hello"), (2, "   world"), (3, ""), (4, "hello again"), (5, "  X=1"), (6, "")]
    assert [record.pairs for record in found.records] == [{"NodeName": "a"}]


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("NodeName=a X=1 X=1", []),
        ("NodeName=a X=1 X=2 more words", ["line 1: X is given twice; the first value is used: X=2"]),
        ("NodeName=a word", ["line 1: this word belongs to no key: word"]),
        ("NodeName=a\n   1x=2", ["line 2: this word belongs to no key: 1x=2"]),
        ("NodeName=a " + "w" * 100, [f"line 1: this word belongs to no key: {'w' * 80}"]),
    ],
)
def test_problems(text, problems):
    found = read_records(text)
    assert [str(problem) for problem in found.problems] == problems
    assert found.records[0].pairs.get("X", "1") == "1"
