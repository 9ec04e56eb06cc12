"""Memory and time: forms, exactness, and round trips."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchers.requirement import format_memory, format_timespan, parse_memory, parse_timespan


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
    "text", ["24", "G", "", "24 GiBB", "24 iB", "1e3G", "24G 2M", "٢G", "24GG", "0G", "-1G", "1,5G"]
)
def test_memory_refused(text):
    with pytest.raises(ValueError, match=r"\w"):
        parse_memory(text)


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
        ("0.5 s", 1),
        (60, 60),
        (timedelta(hours=1), 3600),
    ],
)
def test_timespan(text, seconds):
    assert parse_timespan(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "90", "1:30", "h", "4 parsecs", "1h30", "1:99:00", "-4h", "1::2", "1-2-3", "0 min"]
)
def test_timespan_refused(text):
    with pytest.raises(ValueError, match=r"\w"):
        parse_timespan(text)


@given(st.integers(1, 3660 * 86400))
def test_timespan_round_trip(seconds):
    assert parse_timespan(format_timespan(seconds)) == seconds
