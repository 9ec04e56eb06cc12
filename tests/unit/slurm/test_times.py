"""Time limits as Slurm prints and reads them."""

import pytest

from launchers.quantities.words import format_time_limit
from launchers.slurm.times import parse_time, read_limit


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 1800), ("1:30", 90), ("02:00:00", 7200), ("1:02:03", 3723), ("2-12", 216000), ("2-12:30", 217800),
        ("2-12:30:10", 217810), ("7-00:00:00", 604800), ("0-1", 3600), (" 5 ", 300), ("0", None), ("0:00", None),
        ("UNLIMITED", None), ("infinite", None), ("-1", None),
    ],
)  # fmt: skip
def test_time_limits(text, seconds):
    assert parse_time(text) == read_limit(text) == seconds


@pytest.mark.parametrize("text", ["", "1:2:3:4", "1-", "-5", "1h", "1.5", "1-2-3", "٣", "12345678901"])
def test_what_is_no_time_limit(text):
    with pytest.raises(ValueError, match="is not a time limit: Slurm takes minutes"):
        parse_time(text)


@pytest.mark.parametrize("text", [None, "", "NONE", "n/a", "(null)", "Partition_Limit", "INVALID", "NOT_SET"])
def test_no_limit_is_set(text):
    assert read_limit(text) is None


@pytest.mark.parametrize("seconds", [60, 90, 3599, 3600, 86399, 86400, 604800])
def test_what_launchers_writes_is_read_back(seconds):
    text = format_time_limit(seconds)
    assert parse_time(text if seconds >= 3600 else f"0-{text}") == seconds
