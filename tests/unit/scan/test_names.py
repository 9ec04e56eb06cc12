"""What files are called in a run folder, whatever they are called where they come from."""

from pathlib import Path

import pytest

from launchers.scan.names import RUN_FILES, include_names, run_root, script_name


@pytest.mark.parametrize(
    ("written", "names"),
    [
        (["x.json", "a/y.json", "../b/z.json"], ["x.json", "y.json", "z.json"]),
        (["a/x.json", "b/x.json", "c/y.json"], ["a/x.json", "b/x.json", "y.json"]),
        (["a/q/x.json", "b/q/x.json", "data/"], ["a/q/x.json", "b/q/x.json", "data"]),
        (["x.json", "a/x.json"], ["x.json", "a/x.json"]),
        (["x", "../x"], ["x", "x"]),  # check.py refuses it
        (["/data/x"], ["x"]),
        ([], []),
    ],
)
def test_includes_keep_as_much_of_their_paths_as_makes_names_differ(written, names):
    assert include_names(tuple(written)) == names


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("work.py", "work.py"),
        ("./scripts/work.py", "scripts/work.py"),
        ("../common/work.py", "work.py"),
        ("a/../../work.py", "work.py"),
        ("..work.py", "..work.py"),
        ("/opt/bin/work.py", "work.py"),
    ],
)
def test_scripts_keep_their_paths_below_the_definition(written, name):
    assert script_name(written) == name


def test_run_folders_are_beside_the_definition_or_where_it_says(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    folder = Path("/data/scan")
    assert run_root(folder, None) == folder
    assert run_root(folder, "../runs") == Path("/data/runs")
    assert run_root(folder, "/tmp/runs") == Path("/tmp/runs")
    assert run_root(folder, "~/runs") == Path("/home/me/runs")


def test_a_scheduler_has_a_folder_of_its_name():
    assert {"slurm", "oar", "local", "README"} <= RUN_FILES
