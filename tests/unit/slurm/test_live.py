"""What a cluster does now."""

from launchers.slurm.live import read_signals


def test_signals():
    found = read_signals("a|idle|3\na|mix|2\na|idle*|7\nb|drain|4\nb|idle~|1\n", "a\na,b\nb\n\n")
    assert (found["a"].idle, found["a"].mixed, found["a"].waiting) == (3, 2, 2)
    assert (found["b"].idle, found["b"].mixed, found["b"].waiting) == (1, 0, 2)
