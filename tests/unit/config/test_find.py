"""Which launchers.yaml is used."""

from pathlib import Path

import pytest

from launchers.config import find
from launchers.config.find import locate


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home folder; the site's file is nowhere."""
    exists = Path.exists
    monkeypatch.setattr(Path, "exists", lambda path: exists(path) and not str(path).startswith("/etc/"))
    (tmp_path / "home" / ".config" / "launchers").mkdir(parents=True)
    (tmp_path / "here").mkdir()
    return tmp_path / "home"


def test_the_places_in_their_order(home, tmp_path):
    environ, here = {"HOME": str(home)}, tmp_path / "here"
    users = home / ".config" / "launchers" / find.CONFIG_NAME
    located = locate(None, environ, here)
    assert located.looked_for == (
        (here / "launchers.yaml", "this folder"),
        (users, "the user's"),
        (Path("/etc/launchers/launchers.yaml"), "the site's"),
    )
    assert located.used is None
    users.write_text("")
    assert locate(None, environ, here).used == users
    (here / "launchers.yaml").write_text("")
    assert locate(None, environ, here).used == here / "launchers.yaml"


def test_a_file_that_is_named_is_used_whether_it_exists_or_not(home, tmp_path):
    environ = {"HOME": str(home), "LAUNCHERS_CONFIG": "/x"}
    assert locate(None, environ, tmp_path) == find.Located(Path("/x"), ((Path("/x"), "$LAUNCHERS_CONFIG"),))
    assert locate("/y", environ, tmp_path) == find.Located(Path("/y"), ((Path("/y"), "--config"),))


def test_a_tilde_is_the_home_folder(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert locate("~/y", {}, Path("/")).used == Path("/home/me/y")
    assert locate(None, {"LAUNCHERS_CONFIG": "~/x"}, Path("/")).used == Path("/home/me/x")


def test_xdg_config_home_goes_before_home(home, tmp_path):
    environ = {"HOME": str(home), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    assert locate(None, environ, tmp_path).looked_for[1][0] == tmp_path / "config" / "launchers" / "launchers.yaml"


def test_nothing_more_is_needed_where_no_home_is_set(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", "/home/me")
    assert locate(None, {}, tmp_path).looked_for[1][0] == Path("/home/me/.config/launchers/launchers.yaml")
