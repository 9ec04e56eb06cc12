"""Functions, items and results of steps, as they are pickled in a run folder."""

import json
import os
import pickle
import threading
import time

import pytest
from fake_backend import after, submission

from launchers.errors import RunError
from launchers.runs import results
from launchers.runs.results import (
    all_succeeded,
    job_variables,
    output_path,
    read_call,
    read_item,
    read_outcome,
    read_result,
    read_ticket,
    result_paths,
    write_call,
    write_ticket,
)


def make_job(run, one, outcomes, *, job="9"):
    """A submission that has run: `outcomes` by position, each "success" or "error", and a value."""
    folder = run / "jobs" / one.name
    write_ticket(folder, one, fail_fast=False, rivals={}, check_parents=True)
    for position, outcome in outcomes.items():
        name = f"{job}_{position}_0_result.pkl" if one.array else f"{job}_0_result.pkl"
        (folder / name).write_bytes(pickle.dumps(outcome))
    return folder


# -- calls -----------------------------------------------------------------------------------------------------


def test_a_call_is_read_as_it_was_written(tmp_path):
    write_call(tmp_path / "deep" / "a", {"func": sum, "args": ([1, 2],), "kwargs": {"start": 3}}, None)
    assert read_call(tmp_path / "deep" / "a") == {"func": sum, "args": ([1, 2],), "kwargs": {"start": 3}}
    assert (tmp_path / "deep" / "a").stat().st_mode & 0o777 == 0o700
    assert not (tmp_path / "deep" / "a" / "items.pkl").exists()


def test_items_are_read_one_by_one(tmp_path):
    items = ["a", "x" * 5000, {"k": [1]}, None]
    write_call(tmp_path, {}, items)
    assert [read_item(tmp_path, number) for number in (3, 0, 2, 1)] == [None, "a", {"k": [1]}, "x" * 5000]


# -- tickets and variables -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "minutes"),
    [({"time": 5}, 5), ({"timeout_min": 7}, 7), ({"time": 5, "timeout_min": 7}, 5), ({}, None)],
)
def test_a_ticket_is_read_as_it_was_written(tmp_path, parameters, minutes):
    one = submission("m", after("a", "afterany", 1), items=[0, 1], parameters=parameters, attempt=2)
    write_ticket(tmp_path / "jobs" / "m", one, fail_fast=True, rivals={"m": ("x",)}, check_parents=True)
    assert read_ticket(tmp_path, "m") == {
        "members": [["m", 0], ["m", 1]], "barrier": False, "minutes": minutes, "requeues": 3, "attempt": 2,
        "fail_fast": True, "rivals": {"m": ["x"]},
        "parents": [{"submission": "a", "kind": "afterany", "index": 1}],
    }  # fmt: skip


@pytest.mark.parametrize(
    "text", ["", "[]", "{", "{}", '{"members": 1}', '{"members": [["a"]]}', '{"members": [["a", -1]]}', "\0"]
)
def test_what_is_no_ticket(tmp_path, text):
    write_ticket(tmp_path / "jobs" / "m", submission("m"), fail_fast=True, rivals={}, check_parents=True)
    path = tmp_path / "jobs" / "m" / "ticket.json"
    whole = json.loads(path.read_text())
    path.write_text(json.dumps(whole | json.loads(text)) if text.startswith('{"') else text)
    with pytest.raises(RunError, match=f"^{path}: this is not .*only launchers writes this file"):
        read_ticket(tmp_path, "m")


def test_what_a_job_is_told_of_itself(tmp_path):
    assert job_variables(tmp_path, "s", None) == {
        "LAUNCHERS_RUN_DIR": str(tmp_path), "LAUNCHERS_STEP": "s",
        "LAUNCHERS_OUTPUT": str(tmp_path / "steps" / "s" / "output"),
    }  # fmt: skip
    assert job_variables(tmp_path, "s", 0)["LAUNCHERS_ITEM"] == "0"
    assert output_path(tmp_path, "s", 0) == tmp_path / "steps" / "s" / "output.0"


# -- result files ----------------------------------------------------------------------------------------------


def test_the_newest_result_of_each_member_counts(tmp_path):
    """A job that is queued again under another id has several."""
    folder = tmp_path / "jobs" / "m"
    folder.mkdir(parents=True)
    for number, name in enumerate(("9_10_0_result.pkl", "9_2_0_result.pkl", "8_2_0_result.pkl", "9_2_0_log.out")):
        (folder / name).touch()
        os.utime(folder / name, (number, number))
    assert result_paths(tmp_path, "m", array=True) == {
        2: folder / "8_2_0_result.pkl", 10: folder / "9_10_0_result.pkl",
    }  # fmt: skip
    assert result_paths(tmp_path, "m", array=False) == {None: folder / "8_2_0_result.pkl"}
    assert result_paths(tmp_path, "nothing", array=False) == {}


def test_an_outcome(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(pickle.dumps(("success", [1])))
    assert read_outcome(path) == (True, [1])
    path.write_bytes(pickle.dumps(("error", "Traceback")))
    assert read_outcome(path) == (False, "Traceback")


# -- results of steps ------------------------------------------------------------------------------------------


def test_the_result_of_a_step_and_of_a_map(tmp_path):
    make_job(tmp_path, submission("a"), {None: ("success", 7)})
    make_job(tmp_path, submission("m.0", items=None, steps=["x", "y"]), {0: ("success", 1), 1: ("success", 2)})
    make_job(tmp_path, submission("m", items=[0, 1, 2]), {n: ("success", n * n) for n in (2, 0, 1)})
    assert read_result(tmp_path, "a") == 7
    assert read_result(tmp_path, "y") == 2
    assert read_result(tmp_path, "m") == [0, 1, 4]


def test_a_map_of_one_item_is_a_list(tmp_path):
    make_job(tmp_path, submission("m", items=[0]), {None: ("success", 5)})
    assert read_result(tmp_path, "m") == [5]


def test_the_last_attempt_counts(tmp_path):
    make_job(tmp_path, submission("m", items=[0, 1]), {0: ("error", "bad"), 1: ("success", 1)})
    make_job(tmp_path, submission("m~2", steps=["m"]), {})
    with pytest.raises(LookupError, match="m failed:\nbad"):
        read_result(tmp_path, "m")
    ticket = tmp_path / "jobs" / "m~2" / "ticket.json"
    ticket.write_text(json.dumps({**json.loads(ticket.read_text()), "members": [["m", 0]], "attempt": 10}))
    with pytest.raises(LookupError, match="m failed:\nbad"):  # no result of the second attempt yet
        read_result(tmp_path, "m")
    (tmp_path / "jobs" / "m~2" / "12_0_result.pkl").write_bytes(pickle.dumps(("success", 0)))
    assert read_result(tmp_path, "m") == [0, 1]
    make_job(tmp_path, submission("m~9", steps=["m"], attempt=9), {None: ("success", "older")})
    ticket = tmp_path / "jobs" / "m~9" / "ticket.json"
    ticket.write_text(json.dumps({**json.loads(ticket.read_text()), "members": [["m", 0]]}))
    assert read_result(tmp_path, "m") == [0, 1]


def test_a_step_without_a_result(tmp_path):
    make_job(tmp_path, submission("m", items=[0, 1]), {1: ("success", 1)})
    with pytest.raises(LookupError, match="step m has no result yet"):
        read_result(tmp_path, "m")
    with pytest.raises(LookupError, match=f"there is no step x in {tmp_path}"):
        read_result(tmp_path, "x")


# -- whether all succeeded -------------------------------------------------------------------------------------


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(results, "RESULT_PATIENCE", 0.0)


def test_whether_members_have_good_results(tmp_path, impatient):
    make_job(tmp_path, submission("m", items=[0, 1, 2]), {0: ("success", "error"), 1: ("error", "success")})
    make_job(tmp_path, submission("a"), {None: ("success", 1)})
    assert all_succeeded(tmp_path, "a", [None])
    assert all_succeeded(tmp_path, "m", [0])
    assert not all_succeeded(tmp_path, "m", [0, 1])
    assert not all_succeeded(tmp_path, "m", [0, 2])
    assert not all_succeeded(tmp_path, "nothing", [None])


def test_a_result_may_come_late_on_a_shared_file_system(tmp_path, monkeypatch):
    one = submission("m", items=[0, 1])
    folder = make_job(tmp_path, one, {0: ("success", 1)})
    monkeypatch.setattr(results, "RESULT_PATIENCE", 20.0)
    fresh = folder / "fresh"
    fresh.write_bytes(pickle.dumps(("success", 1)))
    late = threading.Timer(0.2, lambda: fresh.rename(folder / "9_1_0_result.pkl"))
    late.start()
    assert all_succeeded(tmp_path, "m", [0, 1])
    late.join()


def test_results_of_those_that_are_not_waited_for_are_not_waited_for(tmp_path, monkeypatch):
    make_job(tmp_path, submission("m", items=[0, 1]), {0: ("success", 1)})
    monkeypatch.setattr(results, "RESULT_PATIENCE", 60.0)
    started = time.monotonic()
    assert all_succeeded(tmp_path, "m", [0])
    assert time.monotonic() - started < 20
