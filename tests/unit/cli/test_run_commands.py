"""Commands about runs: of runs that have ended, runs that cannot be read, and all of it as JSON."""

import json
import time
from pathlib import Path

import pytest
from config_files import local_entry, write_config
from following import states
from steps import CPU, double, fail

from launchers.cli import main
from launchers.cli.status import job_json
from launchers.jobs.backend import JobInfo
from launchers.plan import Chain, Parallel, Plan, Step
from launchers.runs.status import MemberState

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """One machine of two cores, described by hand."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests" / "builders"))
    write_config(tmp_path, local=[local_entry(cores=2)])


def test_runs_and_clean(capsys):
    first = Plan("one", Step("a", None, double, 1)).submit()
    second = Plan("two", Step("a", None, fail)).submit()
    first.wait(60), second.wait(60, check=False)
    assert main(["runs", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [(one["plan"], one["steps"]) for one in printed["runs"]] == [
        ("one", {"COMPLETED": 1}),
        ("two", {"FAILED": 1}),
    ]
    assert main(["status", second.record.id, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["plan"], printed["ended"], printed["succeeded"]) == ("two", True, False)
    assert main(["clean"]) == 0
    assert "would remove" in capsys.readouterr().out
    assert first.folder.exists()
    assert main(["clean", "--yes", str(first.folder)]) == 0
    assert not first.folder.exists()
    assert second.folder.exists()


def test_a_run_that_has_ended_and_one_that_cannot_be_read(tmp_path, capsys):
    run = Plan("p", Step("one", CPU, double, 1)).submit()
    assert run.wait(60)
    broken = run.folder.parent / "broken"
    broken.mkdir()
    (broken / "plan.json").write_text("{")
    assert main(["runs"]) == 0
    said = capsys.readouterr()
    assert run.folder.name in said.out
    assert "skipped a run" in said.err
    assert main(["cancel", str(run.folder)]) == 0
    assert capsys.readouterr().out == "nothing to cancel: all of that has ended\n"
    assert main(["logs", str(run.folder), "one:7"]) == 2
    assert "one has no item 7: its last one is 0" in capsys.readouterr().err
    assert main(["clean", "--yes"]) == 0
    assert not run.folder.exists()


def test_what_is_no_run(tmp_path, capsys):
    assert main(["status"]) == 2
    assert "no run: the folder ./runs has none" in capsys.readouterr().err
    broken = tmp_path / "runs" / "x-1"
    broken.mkdir(parents=True)
    (broken / "plan.json").write_text("{")
    assert main(["status", str(broken)]) == 2
    assert f"{broken}/plan.json:1: this is not JSON" in capsys.readouterr().err
    (broken / "plan.json").write_text('{"version": 99}')
    assert main(["status", str(broken)]) == 2
    assert "has version 99" in capsys.readouterr().err


def test_json_has_the_documented_shape(capsys):
    Plan("p", Step("a", CPU, double, 1)).submit().wait()
    documented = (Path(__file__).resolve().parents[3] / "docs" / "json.md").read_text()
    for command in ("status", "runs"):
        assert main([command, "--json"]) == 0
        answer = json.loads(capsys.readouterr().out)
        section = documented.split(f"## {command}\n")[1].split("\n## ")[0]
        inner = [one for key in ("steps", "jobs", "runs") for one in _dicts(answer, key)]
        for key in {name for one in (answer, *inner) for name in one}:
            assert f"`{key}`" in section, key


def _dicts(answer, key):
    """Every dict in a list under this key, at any depth."""
    if isinstance(answer, list):
        return [found for one in answer for found in _dicts(one, key)]
    if not isinstance(answer, dict):
        return []
    here = [one for one in answer.get(key, ()) if isinstance(one, dict)] if isinstance(answer.get(key), list) else []
    return here + [found for value in answer.values() for found in _dicts(value, key)]


def test_json_has_seconds_and_null(capsys):
    steps = Parallel(Step("a", CPU, time.sleep, 60), Chain(Step("b", CPU, fail), Step("c", CPU, double, 1)))
    run = Plan("p", steps).submit()
    while states(run)["c"] != "CANCELLED" or states(run)["a"] != "RUNNING":
        time.sleep(0.1)
    time.sleep(0.6)
    assert main(["status", "--json"]) == 0
    jobs = {one["name"]: one["jobs"][0] for one in json.loads(capsys.readouterr().out)["steps"]}
    run.cancel()
    elapsed = {name: job.pop("elapsed") for name, job in jobs.items()}
    assert {name: type(one) for name, one in elapsed.items()} == {"a": int, "b": int, "c": type(None)}
    never = "DependencyNeverSatisfied: b ended FAILED"
    nothing = {"item": None, "partition": None, "nodes": None}
    assert jobs == {
        "a": {**nothing, "job": "a", "state": "RUNNING", "reason": None, "exit": None},
        "b": {**nothing, "job": "b", "state": "FAILED", "reason": "exit status 1", "exit": "1"},
        "c": {**nothing, "job": "c", "state": "CANCELLED", "reason": never, "exit": None},
    }


@pytest.mark.parametrize(
    ("info", "said"),
    [
        (JobInfo("COMPLETED", "Dependency", "n1", "00:00:02", "0:0", "cpu", started=10.0, ended=12.4), (None, "n1", 2, "0:0")),
        (JobInfo("RUNNING", "None", "n1", "0:05", "0:0", "cpu", started=95.2), (None, "n1", 5, None)),
        (JobInfo("CANCELLED", "None", "None assigned", "00:00:00", "0:0", "cpu", ended=9.0), (None, None, None, None)),
        (JobInfo("PENDING", "Dependency", "", "0:00", "", "cpu"), ("Dependency", None, None, None)),
        (JobInfo("FAILED", "NonZeroExitCode", "n1", "", "1:0", started=1.0), ("NonZeroExitCode", "n1", None, "1:0")),
    ],
)  # fmt: skip
def test_what_slurm_says_of_a_job_as_json(info, said):
    job = job_json(MemberState("a", None, "a", "1", info), now=100.0)
    assert tuple(job[key] for key in ("reason", "nodes", "elapsed", "exit")) == said
