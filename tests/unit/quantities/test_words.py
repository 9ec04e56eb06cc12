"""Times and memory in a scheduler's words and in rough words for people."""

import pytest

from launchers.quantities.words import format_clock, format_time_limit, format_walltime, rough_memory, rough_time


@pytest.mark.parametrize(
    ("seconds", "oar", "slurm", "planit"),
    [
        (0, "0:00:00", "00:00:00", "0:00:00"),
        (59, "0:00:59", "00:00:59", "0:00:59"),
        (5400, "1:30:00", "01:30:00", "1:30:00"),
        (86399, "23:59:59", "23:59:59", "23:59:59"),
        (86400, "24:00:00", "1-00:00:00", "1 day, 0:00:00"),
        (178205, "49:30:05", "2-01:30:05", "2 days, 1:30:05"),
    ],
)
def test_each_program_has_its_own_form_of_a_time(seconds, oar, slurm, planit):
    assert (format_walltime(seconds), format_time_limit(seconds), format_clock(seconds)) == (oar, slurm, planit)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "?"),
        (0, "0s"),
        (0.26, "0.3s"),
        (3, "3s"),
        (9.94, "9.9s"),
        (12.4, "12s"),
        (59.4, "59s"),
        (60, "1m"),
        (89.6, "1m30s"),
        (3600, "1h"),
        (5429, "1h30m"),
        (5431, "1h31m"),
        (86399, "1d"),
        (90000, "1d1h"),
    ],
)
def test_a_rough_time_has_two_units_at_most(seconds, text):
    assert rough_time(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (None, "?"),
        (0, "0K"),
        (1, "1K"),
        ((1 << 20) - 1, "1024K"),
        (1 << 20, "1M"),
        (int(1.6 * (1 << 20)), "2M"),
        (1 << 30, "1G"),
        (int(3.14 * (1 << 30)), "3.1G"),
        (int(9.96 * (1 << 30)), "10G"),
        (int(10.4 * (1 << 30)), "10G"),
        (1 << 40, "1T"),
        (int(1.5 * (1 << 40)), "1.5T"),
    ],
)
def test_a_rough_memory_has_a_few_digits(size, text):
    assert rough_memory(size) == text
