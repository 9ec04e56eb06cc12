"""Paths that schedulers can take."""

import os
from pathlib import Path

import pytest

from launchers.files.paths import expand_user, unusable


@pytest.mark.parametrize("path", ["/a/b", "/with space/größe", "/a'b/c\"d", "/~a/$b/#c"])
def test_what_schedulers_can_take(path):
    assert unusable(Path(path)) == ""


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/a/%j/b", "a % sign"),
        ("/a/100%", "a % sign"),
        ("/a\\b", "a backslash"),
        ("/a\nb", "a line break"),
        ("/a\x1b[31m", "control character"),
        ("/a\x7f", "control character"),
        (os.fsdecode(b"/a\xe9"), "is not UTF-8 text"),
    ],
)
def test_what_they_would_replace_or_break(path, reason):
    assert reason in unusable(Path(path))


def test_the_home_of_a_user(monkeypatch):
    monkeypatch.setenv("HOME", "/h")
    assert expand_user("~/x") == Path("/h/x")
    assert expand_user("a/~") == Path("a/~")


def test_a_user_that_nobody_knows_has_no_home():
    assert expand_user("~nobody-has-this-name/x") == Path("~nobody-has-this-name/x")
