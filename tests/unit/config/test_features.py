"""Regular expressions on the names of features: what they capture, in bounded time."""

import os
import time

import pytest

from launchers.config.build import build
from launchers.config.check import check
from launchers.config.features import SlowRegexError, read_features
from launchers.config.load import loads
from launchers.files.problems import ConfigError

SLOW = [
    "(a+)+b",
    "(a|a)*b",
    "(a|aa)+b",
    "a*a*a*a*a*a*a*a*a*b",
    "(?:a?){40}a{40}b",
    "(a*)*b",
    r"(\w+\s?)*b",
    "(?=(a+)+b)a",
]
FEATURE = "a" * 60


def page(*patterns, feature=FEATURE):
    listed = ", ".join(f"'{pattern}'" for pattern in patterns)
    nodes = f"[{{count: 1, features: [{feature}]}}]"
    return loads(f"slurm:\n- features_regex: [{listed}]\n  partitions: {{p: {{nodes: {nodes}}}}}\n", "f.yaml")


def test_what_is_captured_in_the_order_of_the_patterns():
    patterns = [r"GPU(?P<cuda_count>\d+)", r"(?P<gpu_model>[A-Z]+)\d+", "x"]
    found = {"GPU2": [{"cuda_count": "2"}, {"gpu_model": "GPU"}]}
    assert read_features(patterns, {"GPU2", "other"}) == found
    assert read_features(patterns, set()) == read_features([], {"GPU2"}) == {}


def test_a_pattern_that_might_be_slow_reads_as_any_other():
    assert read_features([r"(?:[A-Z]+)+(?P<cuda_count>\d+)"], {"GPU2"}) == {"GPU2": [{"cuda_count": "2"}]}


def test_an_ordinary_pattern_starts_no_process(monkeypatch):
    monkeypatch.delattr(os, "fork")
    features = {f"GPU{number}_feature_with_a_long_name" for number in range(50)}
    assert read_features([r"GPU(?P<cuda_count>\d+)_.*", r"(?P<gpu_model>\w+)-(?P<cuda_memory>\d+)g?"], features)


@pytest.mark.parametrize("pattern", SLOW)
def test_a_slow_pattern_is_an_error_soon(pattern):
    start = time.monotonic()
    before = os.times()
    with pytest.raises(SlowRegexError) as caught:
        read_features(["x", pattern], {FEATURE})
    after = os.times()
    assert caught.value.index == 1
    assert after.children_user - before.children_user < 2
    assert time.monotonic() - start < 30


def test_a_long_feature_is_no_way_around():
    with pytest.raises(SlowRegexError):
        read_features(["a*a*a*b"], {"a" * 60_000})


def test_many_patterns_and_features_are_no_way_around():
    with pytest.raises(SlowRegexError):
        read_features(["[a-z]*[0-9]*x"] * 2000, {f"{'a' * 100}{number}" for number in range(2000)})


def test_where_it_is_told():
    config = page("x", "(a+)+b")
    problem = next(problem for problem in check(config) if problem.code == "LC105")
    assert str(problem) == (
        "f.yaml:2:25: error LC105: slurm[0].features_regex[1]: '(a+)+b' takes too long to match the features here "
        "(use no repeat inside of a repeat)"
    )
    with pytest.raises(ConfigError, match="LC105"):
        build(config.document)


@pytest.mark.parametrize("pattern", ["a{4294967296}", "(" * 5000 + ")" * 5000])
def test_a_pattern_that_cannot_be_compiled(pattern):
    with pytest.raises(ConfigError, match="LC105"):
        page(pattern)
