"""What a node checks before it runs a step, where the scheduler starts it however those before it ended (OAR)."""

import json
import pickle

import pytest

from launchers.runs.node import unmet


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Two arrays of a Map, `some`, of which one item failed, and one of the steps x and y, of which x did."""
    monkeypatch.setattr("launchers.runs.results.PATIENCE", 0.0)
    units = {
        "some.0": [("some", 0, "success"), ("some", 1, "success")],
        "some.1": [("some", 2, "success"), ("some", 3, "error")],
        "x": [("x", None, "error"), ("y", None, "success")],
    }
    for unit, members in units.items():
        folder = tmp_path / "jobs" / unit
        folder.mkdir(parents=True)
        (folder / "unit.json").write_text(json.dumps({"members": [one[:2] for one in members]}))
        for position, (_, _, outcome) in enumerate(members):
            (folder / f"9_{position}_0_result.pkl").write_bytes(pickle.dumps((outcome, 1)))
    return tmp_path


def after(kind, *parents):
    return {"parents": [{"unit": unit, "kind": kind, "index": index} for unit, index in parents]}


def test_a_map_has_failed_when_one_of_its_arrays_has(run):
    assert unmet(run, after("afternotok", ("some.0", None), ("some.1", None)), 0) == ""
    assert unmet(run, after("afternotok", ("some.0", None)), 0) == "some"
    assert unmet(run, after("afterok", ("some.0", None), ("some.1", None)), 0) == "some.1"


def test_steps_of_one_array_have_to_fail_each(run):
    assert unmet(run, after("afternotok", ("x", 0)), 0) == ""
    assert unmet(run, after("afternotok", ("x", 0), ("x", 1)), 0) == "y"
