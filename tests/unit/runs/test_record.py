"""What a run folder says is ours, or is told by file and line: never a wrong answer, never a traceback."""

import json
import re
import shutil
import socket
import subprocess
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded import Recorder

from launchers.cli import main
from launchers.errors import RunError
from launchers.runs.record import dumps, loads
from launchers.runs.run import open_run
from launchers.runs.stored import load_run, write_run

NEEDS_GIT = pytest.mark.skipif(
    shutil.which("git") is None, reason="LOUD: there is no git here: the source of a run is NOT tested"
)


@pytest.fixture
def run(tmp_path):
    recorder = Recorder(tmp_path / "runs")
    recorder.step("a")
    recorder.step("b", waits=[("a", "ok")], jobs=((0, 60), (0, 60)))
    return recorder.run()


def refused(run, capsys, *command):
    """What a command says of a run that it cannot use, which is all that it prints."""
    assert main([*(command or ("status",)), str(run.folder)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


@pytest.mark.parametrize("command", ["status", "wait", "retry", "report", "advise"])
def test_a_line_of_the_journal_that_is_not_ours(run, capsys, command):
    path = run.folder / "journal.jsonl"
    path.write_text(f"{path.read_text()}hello\n")
    assert refused(run, capsys, command).startswith(f"launchers {command}: {path}:3: 'hello' is not JSON")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{}", "no event is named"),
        ('{"event": "end", "job": "a"}', "JobEnd has no 'state'"),
        ('{"event": "end", "job": "a", "state": 3}', "JobEnd: state is 3"),
        ('{"event": "start", "job": "a", "pid": "x", "born": 1}', "JobStart: pid is 'x'"),
        ("?", "'?' is not JSON"),
    ],
)
def test_a_line_of_this_machines_journal_that_is_not_ours(run, capsys, line, reason):
    path = run.folder / "local" / "1" / "events.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:2], line, *lines[2:]]) + "\n")
    assert f"launchers status: {path}:3: {reason}" in refused(run, capsys)


@pytest.mark.parametrize(("line", "reason"), [("{}", "not a job: "), ("[1]", "'[1]' is not a JSON object")])
def test_a_line_of_this_machines_table_that_is_not_ours(run, capsys, line, reason):
    path = run.folder / "local" / "1" / "jobs.jsonl"
    path.write_text(f"{path.read_text()}{line}\n")
    assert f"launchers report: {path}:4: {reason}" in refused(run, capsys, "report")
    (run.folder / "local" / "1" / "capacity.json").write_text("{}")
    path.write_text("")
    assert "capacity.json:1: this is not what a machine offers" in refused(run, capsys, "report")


@pytest.mark.parametrize("command", ["resume", "cancel", "status"])
def test_nobody_starts_a_scheduler_that_would_die_in_silence(tmp_path, capsys, command):
    """The scheduler of a run that has not ended was killed, and its table is spoilt."""
    recorder = Recorder(tmp_path / "runs")
    recorder.step("a", jobs=((0, None),))
    run = recorder.run()
    folder = run.folder / "local" / "1"
    (folder / "scheduler.pid").write_text(f"{2**22 + 1} 1 {socket.gethostname()}\n")
    (folder / "jobs.jsonl").write_text("{}\n")
    assert f"launchers {command}: {folder}/jobs.jsonl:1: not a job" in refused(run, capsys, command)
    assert not (folder / "scheduler.log").exists()


def test_one_run_that_is_not_ours_keeps_nobody_from_the_others(run, tmp_path, capsys):
    recorder = Recorder(tmp_path / "runs")
    recorder.step("c")
    good = recorder.run()
    (run.folder / "journal.jsonl").write_text("{}\n")
    (run.folder / "local" / "1" / "events.jsonl").write_text("{}\n")
    assert main(["runs", str(tmp_path / "runs")]) == 0
    out, err = capsys.readouterr()
    assert good.folder.name in out
    assert run.folder.name not in out
    assert "skipped a run" in err
    assert f"{run.folder}/" in err


# -- plan.json -------------------------------------------------------------------------------------------------


def edited(run, change):
    """Change plan.json as somebody might by hand; the number of the line with XXX in it, which goes away."""
    path = run.folder / "plan.json"
    text = change(path.read_text())
    line = text[: text.index("XXX")].count("\n") + 1 if "XXX" in text else 1
    path.write_text(text.replace("XXX", ""))
    return f"{path}:{line}: "


def changed(key, value, step="b"):
    """Put another value into a step's entry."""

    def change(text):
        head, name, rest = text.partition(f'"name": "{step}"')
        before, found, behind = rest.partition(f'"{key}": ')
        _, end, after = behind.partition(",\n")
        assert found, key
        return f"{head}{name}{before}{found}XXX{value}{end}{after}"

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda text: text.replace("{", "XXX{ hello", 1), "this is not JSON"),
        (lambda text: "[]", "this is not a JSON object"),
        (lambda text: "[" * 100_000, "this is not JSON"),
        (lambda text: '{"version": 1}', "plan is missing"),
        (lambda text: text.replace('"plan": "recorded"', 'XXX"plan": 5'), "plan is not what launchers writes there: 5"),
        (lambda text: text.replace('"plan":', 'XXX"colour": "red", "plan":'), "colour is not what launchers writes"),
        (lambda text: text.replace('"scheduler": "local"', '"scheduler": XXX"cron"'), "there is no scheduler 'cron'"),
        (changed("count", '"two"'), 'steps[1].count is not what launchers writes there: "two"'),
        (changed("count", "2.5"), "steps[1].count is not what launchers writes there: 2.5"),
        (changed("count", "true"), "steps[1].count is not what launchers writes there: true"),
        (changed("seconds", "1" + "0" * 400), "steps[1].seconds is not what launchers writes there: 1000"),
        (changed("place", "null"), "steps[1].place is not what launchers writes there: null"),
        (
            lambda text: text.replace('"token": "t"', 'XXX"tokem": "t"', 1),
            "submissions[0].tokem is not what launchers writes there",
        ),
        (lambda text: text.replace('     "a",\n', '     XXX"z",\n', 1), "there is no step 'z'"),
        (changed("need", '"garbage"'), "steps[1].need: 'garbage' is not a requirement"),
        (changed("count", "0"), "steps[1].count: a step has at least one job, not 0"),
        (changed("retry", '[2, "garbage"]'), "steps[1].retry[1]: 'garbage': write mem*2"),
        (lambda text: re.sub('"created": .*,', '"created": XXX1e30,', text), "created: 1e+30 is not a time"),
        (lambda text: text.replace('"plan": "recorded"', '"plan": XXX"../x"'), "plan: '../x' is not a name"),
        (lambda text: text.replace('"version": 1', '"version": XXXtrue'), "it has version True"),
        (lambda text: text.replace('"version": 1', '"version": XXX2'), "it has version 2"),
        (lambda text: text.replace('"attempt": 1', '"attempt": XXX-1', 1), "an attempt counted from 1"),
    ],
)
def test_a_plan_json_that_is_not_ours(run, capsys, change, reason):
    place = edited(run, change)
    said = refused(run, capsys)
    assert place.rpartition(":")[0].rpartition(":")[0] in said
    assert reason in said
    assert said.startswith(f"launchers status: {place}")


def test_submissions_that_wait_for_each_other_or_for_what_there_is_not(run, capsys):
    path = run.folder / "plan.json"
    entry = json.loads(path.read_text())
    for parents, reason in (
        ([{"submission": "b.1", "kind": "afterok", "index": None}], "these wait for each other: b.0 -> b.1 -> b.0"),
        ([{"submission": "b.0", "kind": "afterok", "index": None}], "these wait for each other: b.0 -> b.0"),
        ([{"submission": "a", "kind": "afterok", "index": -7}], "there is no such submission as 'a'"),
        ([{"submission": "z", "kind": "afterok", "index": None}], "there is no such submission as 'z'"),
        ([{"submission": "a", "kind": "zz", "index": None}], "nothing waits for 'zz'"),
    ):
        entry["submissions"][1]["parents"] = parents
        entry["submissions"][2]["parents"] = [{"submission": "b.0", "kind": "afterok", "index": None}]
        path.write_text(json.dumps(entry, indent=1))
        assert reason in refused(run, capsys)


COMMANDS = [("status",), ("retry",), ("cancel",), ("report",), ("advise",), ("logs", "a")]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
@pytest.mark.parametrize(
    "name", ["jobs.jsonl", "capacity.json", "events.jsonl", "scheduler.pid", "plan.json", "journal.jsonl"]
)
@pytest.mark.parametrize("change", ["gone", "folder", "{}", "[" * 5000, '{"time": 1e300}', "\xff"])
def test_whatever_became_of_a_file_there_is_no_traceback(tmp_path, capsys, monkeypatch, command, name, change):
    """A run that has not ended; nothing is started again for it."""
    monkeypatch.setattr("launchers.cli.cancel.PATIENCE", 0.0)
    monkeypatch.setattr("launchers.local.control.subprocess.Popen", lambda *words, **more: SimpleNamespace(pid=0))
    recorder = Recorder(tmp_path / "runs")
    recorder.step("a")
    recorder.step("b", waits=[("a", "ok")], jobs=((0, 60), (0, None)))
    run = recorder.run()
    (run.folder / "local" / "1" / "scheduler.pid").write_text("7 1 elsewhere")
    path = (run.folder if (run.folder / name).exists() else run.folder / "local" / "1") / name
    path.unlink()
    if change == "folder":
        path.mkdir()
    elif change != "gone":
        path.write_bytes(f"{change}\n".encode("latin-1"))
    assert main([command[0], str(run.folder), *command[1:]]) in (0, 1, 2)
    assert "Error" not in capsys.readouterr().err


def test_plan_json_is_read_as_it_was_written(run):
    text = (run.folder / "plan.json").read_text()
    assert dumps(loads(text, run.folder / "plan.json")) == text


@given(data=st.data())
@settings(deadline=None, max_examples=200)
def test_whatever_stands_in_plan_json_it_is_read_or_told(tmp_path_factory, data):
    recorder = Recorder(tmp_path_factory.mktemp("runs"))
    recorder.step("a")
    path = recorder.run().folder / "plan.json"
    entry = json.loads(path.read_text())
    values = (
        st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.just([]) | st.just({}) | st.just([[1]])
    )
    place, key = entry, None
    while isinstance(place, dict | list) and place and (key is None or data.draw(st.booleans())):
        inside, key = place, data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        place = inside[key]
    inside[key] = data.draw(values)
    path.write_text(json.dumps(entry, indent=1))
    try:
        load_run(path.parent)
    except RunError as error:
        assert str(path) in str(error)


def change_submission(**values):
    return lambda entry: entry["submissions"][1].update(values)


@pytest.mark.parametrize(
    ("change", "place", "reason"),
    [
        (lambda entry: entry["steps"][1].update(name="a"), "steps[1].name", "'a' is not a name, or another step's"),
        (lambda entry: entry["steps"][1].update(name="b c"), "steps[1].name", "'b c' is not a name"),
        (lambda entry: entry["steps"][1].update(waits=[["b", "ok"]]), "steps[1].waits[0][0]", "no step 'b' before it"),
        (lambda entry: entry["steps"][1].update(waits=[["a", "well"]]), "steps[1].waits[0][0]", "no on='well'"),
        (lambda entry: entry["steps"][1].update(colour=1), "steps[1].colour", "is not what launchers writes there: 1"),
        (change_submission(name="a"), "submissions[0].name", "'a' is not a name, or another submission's"),
        (change_submission(name="b/0"), "submissions[1].name", "'b/0' is not a name"),
        (change_submission(attempt=0), "submissions[1].attempt", "an attempt counted from 1"),
        (change_submission(members=[]), "submissions[1].attempt", "a submission has members"),
        (change_submission(members=[["b", 2]]), "submissions[1].members[0][0]", "no item 2 of it"),
        (change_submission(members=[["b", 0], ["b", -1]]), "submissions[1].members[1][0]", "no item -1 of it"),
        (change_submission(members=[["b", None]]), "submissions[1].members[0][0]", "no item None of it"),
        (change_submission(members=[["c", 0]]), "submissions[1].members[0][0]", "there is no step 'c'"),
        (change_submission(need="garbage"), "submissions[1].need", "'garbage' is not a requirement"),
        (change_submission(parents=[{"submission": "a", "kind": "afterok", "index": 1}]),
         "submissions[1].parents[0].submission", "there is no such submission as 'a'"),
        (change_submission(parents=[{"submission": "a", "kind": "ok", "index": 0}]),
         "submissions[1].parents[0].kind", "nothing waits for 'ok'"),
        (lambda entry: entry.update(created=-1), "created", "-1 is not a time"),
        (lambda entry: entry.update(created=1e11), "created", "100000000000.0 is not a time"),
    ],
)  # fmt: skip
def test_what_contradicts_itself(run, capsys, change, place, reason):
    path = run.folder / "plan.json"
    entry = json.loads(path.read_text())
    change(entry)
    path.write_text(json.dumps(entry, indent=1))
    message = refused(run, capsys)
    assert place in message
    assert reason in message


@pytest.mark.parametrize(
    "change",
    [
        change_submission(name="b.0~2"),
        change_submission(attempt=7),
        change_submission(members=[["b", 1], ["b", 0]]),
        change_submission(barrier=True, members=[["no step", None]]),
        change_submission(parents=[{"submission": "a", "kind": "afternotok", "index": 0}]),
        lambda entry: entry["steps"][1].update(retry=[2, "mem*2"], waits=[["a", "failed"]]),
        lambda entry: entry.update(created=0),
    ],
)
def test_what_a_plan_may_say(run, change):
    path = run.folder / "plan.json"
    entry = json.loads(path.read_text())
    change(entry)
    text = json.dumps(entry, indent=1)
    assert dumps(loads(text, path)) == text


# -- where it came from ----------------------------------------------------------------------------------------


def git(folder, *words):
    name = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    subprocess.run(["git", *name, *words], cwd=folder, check=True, capture_output=True)


@NEEDS_GIT
def test_the_source_of_a_run_is_what_it_was_submitted_from(tmp_path, monkeypatch):
    """A retry from another repository, or anything else that writes plan.json again, leaves it alone."""
    from launchers.plan import Plan, Step
    from launchers.plan.retry import retry

    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir(), inside.mkdir()
    git(inside, "init", "-q")
    git(inside, "commit", "-q", "--allow-empty", "-m", "x")
    monkeypatch.chdir(outside)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    run = Plan("p", Step.command("a", None, ["false"])).submit()
    assert not run.wait(60, check=False)
    before = json.loads((run.folder / "plan.json").read_text())
    assert before["source"] is None
    monkeypatch.chdir(inside)
    assert retry(open_run(run.folder)) == ["a"]
    after = json.loads((run.folder / "plan.json").read_text())
    assert {key: after[key] for key in ("source", "cwd", "command")} == {
        key: before[key] for key in ("source", "cwd", "command")
    }
    here = Plan("p", Step.command("a", None, ["true"])).submit()
    assert here.record.source is not None
    git(inside, "commit", "-q", "--allow-empty", "-m", "later")
    write_run(here.record)
    assert load_run(here.folder).source == here.record.source
    for submitted in (run, here):
        submitted.wait(60, check=False)
