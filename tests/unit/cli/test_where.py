"""`launchers where`: the places in their order, and which file is used."""

import json

import pytest

from launchers.cli import main


@pytest.fixture
def where(tmp_path, monkeypatch, capsys):
    """What `launchers where` prints in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*options):
        assert main(["where", *options]) == 0
        return capsys.readouterr().out

    return run


def test_without_any_file(where):
    lines = where().splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["-", "-", "-"]
    assert lines[3:] == ["none of these files exists: the only launcher is this machine"]


def test_the_file_that_is_used_and_the_others(where, tmp_path):
    users = tmp_path / "config" / "launchers" / "launchers.yaml"
    users.parent.mkdir(parents=True)
    users.write_text("")
    assert [line.split()[0] for line in where().splitlines()] == ["-", "used", "-"]
    (tmp_path / "launchers.yaml").write_text("")
    first, second, _ = where().splitlines()
    assert first.split() == ["used", str(tmp_path / "launchers.yaml"), "this", "folder"]
    assert second.split() == ["there", str(users), "the", "user's"]


def test_a_file_that_is_named(where):
    assert where("--config", "/no/such.yaml") == "used  /no/such.yaml  --config\n"


def test_json(where, tmp_path):
    (tmp_path / "launchers.yaml").write_text("")
    found = json.loads(where("--json"))
    assert list(found) == ["version", "used", "looked_for"]
    assert found["used"] == str(tmp_path / "launchers.yaml")
    assert found["looked_for"][0] == {"path": found["used"], "why": "this folder", "exists": True}
    assert found["looked_for"][1]["exists"] is False
