"""Memory and time: forms, exactness, and round trips."""

import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchers.quantities.units import (
    MAX_MEMORY,
    MAX_SECONDS,
    format_memory,
    format_timespan,
    parse_memory,
    parse_timespan,
)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("24G", 24 << 30),
        ("24GiB", 24 << 30),
        ("24 GB", 24 << 30),
        ("1.5T", 1536 << 30),
        ("400M", 400 << 20),
        ("4.5g", 4608 << 20),
        (".5K", 1024),
        ("0.1M", 103 * 1024),  # 102.4K rounds up
        (8116 * 1024**2, 8116 << 20),
    ],
)
def test_memory(text, size):
    assert parse_memory(text) == size


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("24", "memory needs a unit: write 24G or 24M instead of 24"),
        ("G", "'G' is not an amount of memory such as 24G, 400M or 1.5T"),
        ("", "'' is not an amount of memory"),
        ("24 GiBB", "'GiBB' is not a unit of memory: use K, M, G or T"),
        ("24 iB", "'iB' is not a unit of memory"),
        ("24B", "'B' is not a unit of memory"),
        ("24GI", "'GI' is not a unit of memory"),
        ("24GG", "'GG' is not a unit of memory"),
        ("1e3G", "'1e3G' is not an amount of memory"),
        ("24G 2M", "'24G 2M' is not an amount of memory"),
        ("\N{ARABIC-INDIC DIGIT TWO}G", "is not an amount of memory"),
        ("1,5G", "'1,5G' is not an amount of memory"),
        ("1" * 63 + "G", "of memory is more than any machine has"),
        ("1" * 64 + "G", "is not an amount of memory"),
        ("0G", "memory must be more than zero, not '0G'"),
        (0, "memory must be more than zero, not 0"),
        ("-1G", "memory has no sign: write 1G instead of '-1G'"),
        ("+1G", "memory has no sign: write 1G instead of '+1G'"),
        (MAX_MEMORY + 1, f"{MAX_MEMORY + 1} of memory is more than any machine has"),
    ],
)
def test_memory_refused(text, reason):
    with pytest.raises(ValueError, match=re.escape(reason)):
        parse_memory(text)


def test_the_most_memory():
    assert parse_memory(MAX_MEMORY) == parse_memory("1048576T") == MAX_MEMORY


@pytest.mark.parametrize("value", [True, 1.5, None])
def test_memory_is_text_or_bytes(value):
    with pytest.raises(TypeError, match="memory is text such as '24G' or a number of bytes, not"):
        parse_memory(value)


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0T"), (1, "1K"), (1024, "1K"), (1025, "2K"), (1 << 20, "1M"), (1536 << 30, "1536G"), (2 << 40, "2T")],
)
def test_memory_as_text(size, text):
    assert format_memory(size) == text


def test_a_long_text_is_cut_in_the_message():
    with pytest.raises(ValueError, match=re.escape("'" + "x" * 35 + "...' is not an amount")):
        parse_memory("x" * 50)
    with pytest.raises(ValueError, match="'" + "x" * 38 + "' is not an amount"):
        parse_memory("x" * 38)


@given(st.integers(1, 2**50))
def test_memory_round_trip(kib):
    assert parse_memory(format_memory(kib * 1024)) == kib * 1024


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("4 days", 345600),
        ("4 d", 345600),
        ("90 min", 5400),
        ("90 m", 5400),
        ("1h30m", 5400),
        ("2 weeks", 1209600),
        ("1.5 h", 5400),
        ("2-12:00:00", 216000),
        ("2-12", 216000),
        ("2-12:30", 217800),
        ("1:30:00", 5400),
        ("36:59:59", 133199),
        ("1-23:59:59", 172799),
        ("1.0000001 s", 2),
        (timedelta(seconds=1.5), 2),
        (MAX_SECONDS, MAX_SECONDS),
        ("0.5 s", 1),
        (60, 60),
        (timedelta(hours=1), 3600),
    ],
)
def test_timespan(text, seconds):
    assert parse_timespan(text) == seconds


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "'' is not a duration such as 4 days, 1h30m or 2-12:00:00"),
        ("h", "'h' is not a duration"),
        ("1-2-3", "a duration needs a unit: write 1h, 1 min or 1 days"),
        ("1h" * 33, "is not a duration"),
        ("90", "a duration needs a unit: write 90h, 90 min or 90 days"),
        ("1h30", "a duration needs a unit: write 30h, 30 min or 30 days"),
        ("4 parsecs", "'parsecs' is not a unit of time: use s, min, h, days or weeks"),
        ("1:30", "1:30 could be hours and minutes or, as Slurm reads it, minutes and seconds: write 1h30m or 1m30s"),
        ("1::2", "'1::2' is not a time such as 1:30:00 or 2-12:00:00"),
        ("1:60:00", "1:60:00 is not a time: minutes and seconds go up to 59, hours after days up to 23"),
        ("1:00:60", "1:00:60 is not a time"),
        ("1-24:00:00", "1-24:00:00 is not a time"),
        ("-4h", "a duration has no sign: write 4h instead of '-4h'"),
        ("+4h", "a duration has no sign: write 4h instead of '+4h'"),
        ("0 min", "a duration must be more than zero, not '0 min'"),
        (-1, "a duration must be more than zero, not -1"),
        (MAX_SECONDS + 1, f"{MAX_SECONDS + 1} is longer than ten years"),
    ],
)
def test_timespan_refused(text, reason):
    with pytest.raises(ValueError, match=re.escape(reason)):
        parse_timespan(text)


@pytest.mark.parametrize("value", [True, 1.5, None])
def test_a_timespan_is_text_seconds_or_a_timedelta(value):
    with pytest.raises(TypeError, match="a duration is text such as '4 days', seconds or a timedelta, not"):
        parse_timespan(value)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (59, "59s"), (60, "1m"), (5400, "1h30m"), (86400, "1d"), (90061, "1d1h1m1s")]
)
def test_timespan_as_text(seconds, text):
    assert format_timespan(seconds) == text


@given(st.integers(1, 3660 * 86400))
def test_timespan_round_trip(seconds):
    assert parse_timespan(format_timespan(seconds)) == seconds
