"""Commands about runs, on recorded runs: which run is meant, what is printed of it."""

import json
import os
import sys
from pathlib import Path

import pytest
from recorded import Recorder
from reported import job, step

from launchers.cli import main
from launchers.cli.status import job_json, status_rows


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def recorded(plan="p", **jobs):
    """A run with these steps, in ./runs."""
    recorder = Recorder(Path("runs"))
    for name, times in jobs.items():
        recorder.step(name, jobs=times)
    return recorder.run(plan)


def said(capsys, *argv, status=0):
    """What a command prints on stdout and stderr."""
    capsys.readouterr()
    assert main(list(argv)) == status
    return capsys.readouterr()


# -- which run -------------------------------------------------------------------------------------------------


def test_a_run_is_named_by_its_folder_its_name_and_the_end_of_its_name(capsys):
    run, other = recorded("p", a=[(0, 60)]), recorded("q", a=[(0, 60)])
    name = run.folder.name
    for text in (str(run.folder), name, name.removeprefix("p-")):
        assert said(capsys, "status", text).out.startswith(f"p {name.removeprefix('p-')} on box: ")
    os.utime(run.folder / "plan.json", (2e9, 2e9))
    assert said(capsys, "status").out.startswith("p ")
    os.utime(other.folder / "plan.json", (3e9, 3e9))
    assert said(capsys, "status").out.startswith("q ")


def test_no_run_and_several_runs(capsys, tmp_path):
    assert said(capsys, "status", status=2).err == "launchers status: no run: the folder ./runs has none\n"
    expected = "launchers wait: x is neither a run folder nor the name of a run in ./runs (see: launchers runs)\n"
    assert said(capsys, "wait", "x", status=2).err == expected
    run = recorded("p", a=[(0, 60)])
    run.folder.rename(tmp_path / "runs" / "p-x")
    recorded("q", a=[(0, 60)]).folder.rename(tmp_path / "runs" / "q-x")
    err = said(capsys, "status", "x", status=2).err
    assert err == "launchers status: several runs have a name that ends in x: p-x, q-x\n"


# -- logs ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("m:x", "m:x: an item is a number, such as m:3"),
        ("m:-1", "m:-1: an item is a number, such as m:3"),
        ("m:2", "m:2: m has no item 2: its last one is 1"),
        ("n", "there is no step n: "),
    ],
)
def test_logs_of_what_is_not_there(capsys, name, message):
    recorded(m=[(0, 60), (0, 60)])
    err = said(capsys, "logs", recorded(m=[(0, 60), (0, 60)]).folder.name, name, status=2).err
    assert err.startswith(f"launchers logs: {message}")


def test_logs_of_all_items_and_of_one(capfd):
    recorder = Recorder(Path("runs"))
    recorder.step("m", jobs=[(0, 60), (0, 60)])
    recorder.logs = {"m.0": "zero\n", "m.1": "one\n"}
    folder = str(recorder.run().folder)
    assert sorted(said(capfd, "logs", folder, "m").out.splitlines()) == ["one", "zero"]
    assert said(capfd, "logs", folder, "m:1").out == "one\n"
    assert said(capfd, "logs", "m:1").out == "one\n"  # of the newest run


def test_a_step_that_has_written_nothing(capsys):
    assert (
        said(capsys, "logs", str(recorded(a=[(0, 60)]).folder), "a").err
        == "launchers logs: a has written nothing yet\n"
    )


# -- status and wait -------------------------------------------------------------------------------------------


def test_wait_names_what_failed(capsys):
    bad = {"state": "FAILED", "reason": "exit status 1"}
    run = recorded(a=[(0, 60)], b=[(0, 60, bad)])
    found = said(capsys, "wait", str(run.folder), status=1)
    assert (found.out, found.err) == ("", "b FAILED: exit status 1\n")
    assert said(capsys, "wait", str(recorded(a=[(0, 60)]).folder)) == ("", "")


def test_watch_ends_when_all_jobs_have_ended(capsys, monkeypatch):
    """At a terminal it draws a table; in a pipe it waits, and prints the table once."""
    folder = str(recorded(a=[(0, 60)], b=[(0, 60)]).folder)
    piped = said(capsys, "status", folder, "--watch").out
    assert piped == said(capsys, "status", folder).out
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    drawn = said(capsys, "status", folder, "--watch").out
    assert drawn.count("COMPLETED") > piped.count("COMPLETED")


def test_a_row_of_a_step_with_a_job_and_with_many():
    first = job("a", state="RUNNING", partition="gpu", nodes="n1", elapsed="5 s")
    many = step("m", states=["COMPLETED", "COMPLETED", "FAILED"])
    assert status_rows([step("a", first), many, step("none", states=[])]) == [
        ("a", "RUNNING", "1", "gpu", "n1", "5 s", "1h", ""),
        ("m", "FAILED", "2 COMPLETED, 1 FAILED", "gpu", "", "", "1h", "exit "),
        ("none", "COMPLETED", "", "gpu", "", "", "1h", ""),
    ]


@pytest.mark.parametrize(
    ("state", "reason", "shown"),
    [
        ("PENDING", "Priority", "Priority"),
        ("PENDING", "None", None),
        ("RUNNING", "its scheduler has gone", "its scheduler has gone"),
        ("RUNNING", "", None),
        ("COMPLETED", "Priority", None),
        ("FAILED", "NonZeroExitCode", "NonZeroExitCode"),
    ],
)
def test_the_reason_of_a_job_counts_while_it_waits_or_when_it_failed(state, reason, shown):
    assert job_json(job(state=state, reason=reason), now=0)["reason"] == shown


def test_what_slurm_prints_for_nothing_is_null():
    data = job_json(
        job(state="FAILED", nodes="None assigned", partition="(null)", exit="1:0", started=1.0, ended=9.0), 20
    )
    assert (data["nodes"], data["partition"], data["exit"], data["elapsed"]) == (None, None, "1:0", 8)
    assert job_json(job(state="CANCELLED", exit="0:0"), 20)["exit"] is None
    assert job_json(job(state="RUNNING", exit="0:0", started=1.0), 20)["elapsed"] == 19


# -- runs and clean --------------------------------------------------------------------------------------------


def test_runs_are_listed_with_their_states(capsys):
    run = recorded(a=[(0, 60)], b=[(0, 60)], c=[(0, 60, {"state": "FAILED"})])
    (entry,) = json.loads(said(capsys, "runs", "--json").out)["runs"]
    assert (entry["plan"], entry["steps"]) == ("p", {"COMPLETED": 2, "FAILED": 1})
    head, row = said(capsys, "runs").out.splitlines()
    assert head.split() == ["RUN", "SUBMITTED", "STEPS"]
    assert row.startswith(run.folder.name)
    assert row.endswith("2 COMPLETED, 1 FAILED")
    assert said(capsys, "runs", "nowhere").out == ""


def test_clean_removes_only_with_yes(capsys):
    run, other = recorded("p", a=[(0, 60)]), recorded("q", a=[(0, 60)])
    assert said(capsys, "clean", str(run.folder)).out == f"would remove (--yes): {run.folder}\n"
    assert run.folder.exists()
    assert said(capsys, "clean", str(run.folder), "--yes").out == f"removed: {run.folder}\n"
    assert not run.folder.exists()
    assert other.folder.exists()
