"""Journals: lines that are appended whole, cut off, or written by somebody else."""

import contextlib
import json
import os
import resource

import attrs
import pytest
from attrs import field, frozen

from launchers import events
from launchers.errors import RunError
from launchers.events import (
    LATEST,
    TAIL,
    BadFileError,
    BadLineError,
    append,
    end_last_line,
    is_time,
    line_of,
    read_events,
    read_lines,
    read_object,
    structure_line,
)


@frozen
class Start:
    """An event with a field that has no default, and one that has."""

    job: str = field(validator=attrs.validators.instance_of(str))
    time: float = field(default=0.0, validator=is_time)


@frozen
class End:
    """Another event."""

    job: str


KINDS = {"start": Start, "end": End}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.jsonl"


def test_an_event_is_a_line(path):
    assert line_of(Start("a", 1.5), KINDS) == '{"event": "start", "job": "a", "time": 1.5}\n'
    assert line_of(End("line\nbreak"), KINDS) == '{"event": "end", "job": "line\\nbreak"}\n'


def test_events_are_read_in_the_order_in_which_they_were_appended(path):
    for event in (Start("a"), End("a"), Start("b", 2.0)):
        append(path, line_of(event, KINDS))
    assert read_events(path, KINDS) == [Start("a"), End("a"), Start("b", 2.0)]
    assert [number for number, _ in read_lines(path)] == [1, 2, 3]


def test_a_file_that_does_not_exist_has_no_events(path):
    assert read_events(path, KINDS) == []


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(RunError, match=rf"^{tmp_path} cannot be read: Is a directory$"):
        read_events(tmp_path, KINDS)


def test_what_has_no_end_is_not_read(path):
    os.mkfifo(path)
    for read in (lambda: read_events(path, KINDS), lambda: read_object(path)):
        with pytest.raises(RunError, match=f"{path} cannot be read: Not a plain file"):
            read()
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(RunError, match="Not a plain file"):
        read_events(path, KINDS)


def test_a_default_need_not_be_written(path):
    path.write_text('{"event": "start", "job": "a"}\n')
    assert read_events(path, KINDS) == [Start("a", 0.0)]


def test_blank_lines_count_and_are_nothing(path):
    path.write_text('\n   \n{"event": "end", "job": "a"}\n')
    assert list(read_lines(path)) == [(3, {"event": "end", "job": "a"})]


# -- lines that were cut off -----------------------------------------------------------------------------------

LINE = line_of(End("a"), KINDS)


@pytest.mark.parametrize("cut", ["{", '{"event": "end", "jo', "\0\0\0", LINE[:-2]])
def test_what_was_cut_off_was_not_written(path, cut):
    path.write_text(LINE + cut)
    assert read_events(path, KINDS) == [End("a")]


@pytest.mark.parametrize("cut", ["{", '{"event": "end", "jo', "\0\0\0", LINE[:-2]])
def test_who_writes_next_marks_what_was_cut_off(path, cut):
    path.write_text(LINE + cut)
    append(path, line_of(End("b"), KINDS))
    assert path.read_text() == f"{LINE}{cut}\x18\n" + line_of(End("b"), KINDS)
    assert read_events(path, KINDS) == [End("a"), End("b")]
    assert [number for number, _ in read_lines(path)] == [1, 3]


def test_a_line_that_lacks_only_its_end_is_read_and_ended(path):
    path.write_text(LINE.rstrip("\n"))
    assert read_events(path, KINDS) == [End("a")]
    append(path, line_of(End("b"), KINDS))
    assert read_events(path, KINDS) == [End("a"), End("b")]
    assert "\x18" not in path.read_text()


@pytest.mark.parametrize(
    ("before", "after"), [("", ""), (LINE, LINE), (LINE[:-1], LINE), (LINE + "{", LINE + "{\x18\n"), ("\n", "\n")]
)
def test_the_last_line_can_be_ended_without_writing_another(path, before, after):
    path.write_text(before)
    end_last_line(path)
    assert path.read_text() == after


@pytest.mark.parametrize("length", [TAIL - 1, TAIL, TAIL + 1, 2 * TAIL, 2 * TAIL + 1])
def test_a_long_last_line_is_found_whole(path, length):
    """It is read backwards, some bytes at a time."""
    whole = json.dumps({"event": "end", "job": "x" * (length - 27)})
    assert len(whole) == length
    for text, ended in ((whole, whole + "\n"), (whole[:-1], whole[:-1] + "\x18\n")):
        path.write_text(LINE + text)
        end_last_line(path)
        assert path.read_text() == LINE + ended
    path.write_text(whole)
    end_last_line(path)
    assert path.read_text() == whole + "\n"


def test_appending_reads_only_the_end_of_the_file(path, monkeypatch):
    path.write_text(LINE * 10_000)
    read = []
    pread = events.os.pread
    monkeypatch.setattr(events.os, "pread", lambda *args: read.append(args[1]) or pread(*args))
    append(path, LINE)
    assert read == [TAIL]


def test_a_line_is_on_disk_when_append_returns(path, monkeypatch):
    synced = []
    monkeypatch.setattr(events.os, "fsync", lambda file: synced.append(path.read_text()))
    append(path, LINE)
    assert synced == [LINE]


@pytest.mark.parametrize("room", [0, 1, 20, len(LINE) - 2])
def test_a_disk_that_is_full_in_the_middle_of_a_line(path, room):
    """The line that does not fit is not believed, and the next one that does mends it."""
    append(path, LINE)
    with no_room_after(path, room), pytest.raises(OSError, match="File too large"):
        append(path, line_of(End("b"), KINDS))
    assert path.stat().st_size == len(LINE) + room
    assert read_events(path, KINDS) == [End("a")]
    append(path, line_of(End("c"), KINDS))
    assert read_events(path, KINDS) == [End("a"), End("c")]


def test_a_disk_that_is_full_again_and_again(path):
    append(path, LINE)
    for room in (5, 1, 0, 12):
        with no_room_after(path, room), pytest.raises(OSError, match="File too large"):
            append(path, line_of(End("b"), KINDS))
        assert read_events(path, KINDS) == [End("a")]
    append(path, line_of(End("c"), KINDS))
    assert read_events(path, KINDS) == [End("a"), End("c")]


@contextlib.contextmanager
def no_room_after(path, bytes):
    """Let files grow only so far beyond the size of this one."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_journal_that_was_cut_anywhere_says_what_its_whole_lines_say(path):
    """As far as the line's own end: one that lacks only its line break was written."""
    journal = [Start("a", 1.5), End("é\n\x18{}"), Start("b", 0.0), End("x" * 30)]
    lines = [line_of(event, KINDS).encode() for event in journal]
    text = b"".join(lines)
    ends = [len(b"".join(lines[:count])) - 1 for count in range(1, len(lines) + 1)]
    for length in range(len(text) + 1):
        whole = journal[: sum(end <= length for end in ends)]
        path.write_bytes(text[:length])
        assert read_events(path, KINDS) == whole
        append(path, LINE)
        assert read_events(path, KINDS) == [*whole, End("a")]


# -- lines that launchers did not write ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("hello", "'hello' is not JSON"),
        ("x" * 60, f"'{'x' * 60}' is not JSON"),
        ("x" * 61, f"'{'x' * 57}...' is not JSON"),
        ("[" * 100_000, "[...' is not JSON"),
        ('{"event": 1' + "0" * 20 + "}", "is not JSON"),
        ("[1]", "'[1]' is not a JSON object"),
        ("{}", "no event is named; known events: start, end"),
        ('{"event": 1}', "there is no event 1; known events: start, end"),
        ('{"event": "stop"}', "there is no event 'stop'; known events: start, end"),
        ('{"event": "end"}', "End has no 'job'"),
        ('{"event": "end", "job": "a", "more": 1}', "there is no 'more' in End"),
        ('{"event": "start", "job": 1}', "Start: job is 1, which it cannot be"),
        ('{"event": "start", "job": "a", "time": "now"}', "Start: time is 'now', which it cannot be"),
        ('{"event": "start", "job": "a", "time": -1}', "Start: time is -1, which it cannot be"),
    ],
)
def test_another_line_is_refused_by_its_place(path, line, reason):
    path.write_text(f"{LINE}{line}\n{LINE}")
    with pytest.raises(BadLineError) as caught:
        read_events(path, KINDS)
    assert str(caught.value).startswith(f"{path}:2: ")
    assert caught.value.reason.endswith(reason)
    assert (caught.value.path, caught.value.line) == (path, 2)


def test_a_last_line_that_is_no_beginning_of_an_object_is_refused(path):
    path.write_text(f"{LINE}hello")
    with pytest.raises(BadLineError, match=":2: 'hello' is not JSON"):
        read_events(path, KINDS)


@pytest.mark.parametrize("time", [0, 1.5, LATEST - 1])
def test_times(time):
    assert Start("a", time).time == time


@pytest.mark.parametrize("time", [-0.1, LATEST, float("nan"), float("inf"), "1", None])
def test_what_is_no_time(time):
    with pytest.raises(ValueError, match="not a time"):
        Start("a", time)


def test_a_converter_that_fails_is_no_traceback(path):
    @frozen
    class Count:
        number: int = field(converter=int)

    with pytest.raises(BadLineError, match=":7: Count: a value has a wrong type"):
        structure_line(path, 7, {"number": "many"}, Count)
    assert structure_line(path, 7, {"number": "3"}, Count) == Count(3)


# -- files that are one object ---------------------------------------------------------------------------------


def test_a_file_that_is_an_object(path):
    path.write_text('{"a": [1]}')
    assert read_object(path) == {"a": [1]}


@pytest.mark.parametrize("text", [b"", b"{", b"\0\0", b"\xff\xfe", b"[" * 100_000, b'{"a": ' + b"9" * 10_000 + b"}"])
def test_a_file_that_is_no_json(path, text):
    path.write_bytes(text)
    with pytest.raises(BadFileError, match=rf"^{path}: this is not JSON \(only launchers writes this file\)$"):
        read_object(path)


@pytest.mark.parametrize("text", ["[]", "null", "1", '"{}"'])
def test_a_file_that_is_no_object(path, text):
    path.write_text(text)
    with pytest.raises(BadFileError, match="not a JSON object"):
        read_object(path)


def test_an_object_that_is_not_there_or_cannot_be_read(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_object(tmp_path / "x")
    with pytest.raises(RunError, match=f"{tmp_path} cannot be read: Is a directory"):
        read_object(tmp_path)
