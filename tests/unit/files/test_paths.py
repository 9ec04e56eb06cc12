"""Paths as people write them."""

from pathlib import Path

from launchers.files.paths import expand_user


def test_the_home_of_a_user(monkeypatch):
    monkeypatch.setenv("HOME", "/h")
    assert expand_user("~/x") == Path("/h/x")
    assert expand_user("a/~") == Path("a/~")


def test_a_user_that_nobody_knows_has_no_home():
    assert expand_user("~nobody-has-this-name/x") == Path("~nobody-has-this-name/x")
