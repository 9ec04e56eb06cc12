"""Which launchers.yaml is used."""

import os
from pathlib import Path

import pytest

from launchers.config import find
from launchers.config.find import locate
from launchers.files.problems import ConfigError
from launchers.launcher.groups import load_groups


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
    assert locate(None, environ, tmp_path) == find.Located(
        Path("/x"), ((Path("/x"), "$LAUNCHERS_CONFIG"),), is_named=True
    )
    assert locate("/y", environ, tmp_path) == find.Located(Path("/y"), ((Path("/y"), "--config"),), is_named=True)


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


# -- whose it is ---------------------------------------------------------------------------------------------------


@pytest.fixture
def foreign(tmp_path, monkeypatch):
    """A launchers.yaml of another user in this folder: it is ours, and we become another."""
    path = tmp_path / "launchers.yaml"
    path.write_text("local: []\n")
    path.chmod(0o644)
    os.chown(path, 12345, -1) if os.geteuid() == 0 else monkeypatch.setattr(os, "geteuid", lambda: 54321)
    monkeypatch.chdir(tmp_path)
    return path


def test_a_file_of_another_user_is_refused_unless_it_is_named(foreign, home):
    with pytest.raises(ConfigError) as caught:
        load_groups(None, {"HOME": str(home)})
    line = str(caught.value)
    assert line.startswith(f"{foreign}:1:1: error LC113: this file belongs to ")
    assert line.endswith(f"(if you trust it, name it: --config {foreign})")
    assert load_groups(foreign)[0] == ()
    assert load_groups(None, {"LAUNCHERS_CONFIG": str(foreign)})[0] == ()


def test_the_users_file_is_the_users(foreign, home, monkeypatch):
    monkeypatch.chdir(home)
    foreign.rename(home / ".config" / "launchers" / "launchers.yaml")
    with pytest.raises(ConfigError, match="LC113"):
        load_groups(None, {"HOME": str(home)})


@pytest.mark.parametrize("named", [True, False])
def test_a_file_that_others_can_write_is_told(named, home, tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "launchers.yaml"
    path.write_text("local: []\n")
    tmp_path.chmod(0o755)
    path.chmod(0o644)
    load_groups(path if named else None, {"HOME": str(home)})
    assert caplog.messages == []
    path.chmod(0o666)
    load_groups(path if named else None, {"HOME": str(home)})
    assert caplog.messages == [f"launchers: {path} can be written by every user: others decide what launchers believes"]


def test_a_facts_file_that_others_can_write_is_told(tmp_path, caplog):
    tmp_path.chmod(0o755)
    (tmp_path / "facts.yaml").write_text("slurm: [{}]\n")
    (tmp_path / "facts.yaml").chmod(0o666)
    (tmp_path / "launchers.yaml").write_text("slurm: [{facts: facts.yaml}]\n")
    load_groups(tmp_path / "launchers.yaml")
    (message,) = caplog.messages
    assert message.startswith(f"launchers: {tmp_path}/facts.yaml can be written by every user")


def test_a_place_that_cannot_be_looked_at_is_passed_over(home, tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "exists", lambda path: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
    assert locate(None, {"HOME": str(home)}, tmp_path).used is None


def test_a_home_that_nobody_knows(tmp_path):
    places = [path for path, _ in locate(None, {"HOME": "~nobody-has-this-name"}, tmp_path).looked_for]
    assert places[1] == Path("~nobody-has-this-name/.config/launchers/launchers.yaml")
    assert locate("~nobody-has-this-name/x", {}, tmp_path).used == Path("~nobody-has-this-name/x")
