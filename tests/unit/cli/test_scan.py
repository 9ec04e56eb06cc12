"""launchers scan: what its actions print, and their exit statuses."""

import json
import time
from pathlib import Path

import pytest
from following import until
from scans import SCRIPTS, TEMPLATE, WAITS, WORKER, finish, folder_of, list_runs, scan, show, start, write_yaml

from launchers import open_run
from launchers.cli import main

DOCUMENTED = (Path(__file__).resolve().parents[3] / "docs" / "json.md").read_text()


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A machine of two cores."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "launchers.yaml").write_text("local: [{id: box, cpu: {cores: 2, memory: 2G}}]\n")


@pytest.fixture
def call(capfd):
    """Call `launchers scan`: its exit status, stdout and stderr."""

    def call_scan(words, *more):
        capfd.readouterr()
        status = main(["scan", *words.split(), *more])
        return status, *capfd.readouterr()

    return call_scan


# -- definitions -----------------------------------------------------------------------------------------------


def test_setup_takes_scripts_by_position_and_by_name(call):
    Path(scan(".")).unlink()
    Path("shared.json").write_text("{}")
    names = "--worker work.py --setup setup.sh --generator generate.py --template template.sh"
    assert call("setup setup.sh generate.py template.sh work.py shared.json -m 3 -o a.yaml") == (
        0,
        "wrote a.yaml\n",
        "",
    )
    assert call("setup --esis-order setup.sh template.sh work.py generate.py shared.json -m 3 -o b.yaml")[0] == 0
    assert call(f"setup {names} shared.json -m 3 -o c.yaml")[0] == 0
    assert Path("a.yaml").read_text() == Path("b.yaml").read_text() == Path("c.yaml").read_text()
    assert Path("a.yaml").read_text().endswith("includes:\n- shared.json\nat_once: 3\n")
    assert call("setup setup.sh generate.py template.sh work.py")[1] == "wrote scan.yaml\n"


def test_setup_that_cannot_be(call):
    Path(scan(".")).unlink()
    assert call("setup setup.sh generate.py template.sh -o d.yaml") == (
        2, "", "launchers scan setup: give setup, generator, template, worker, or name them: --worker FILE ...\n",
    )  # fmt: skip
    status, _, err = call("setup setup.sh template.sh work.py generate.py -o d.yaml")  # the wrong order
    assert (status, "work.py has no WORKERSCRIPT" in err) == (2, True)
    assert not Path("d.yaml").exists()
    Path("d.yaml").write_text("# mine")
    words = "setup setup.sh generate.py template.sh work.py --workdir runs -o d.yaml"
    status, _, err = call(words)
    assert status == 2
    assert err.startswith("launchers scan setup: d.yaml: launchers did not write this file, so it stays as it is: name")
    assert Path("d.yaml").read_text() == "# mine"
    assert call(words + " --force") == (
        0,
        "wrote d.yaml\n",
        "launchers scan setup: the old d.yaml is now d.yaml.bak\n",
    )
    assert Path("d.yaml.bak").read_text() == "# mine"
    assert "workdir: runs\n" in Path("d.yaml").read_text()


def test_setup_with_a_need(call):
    scan(".", worker="#!/bin/sh\n")
    words = "setup --worker work.py --generator generate.py -o d.yaml --needs"
    assert call(words, "cpu(cores=2)")[0] == 0
    assert Path("d.yaml").read_text() == "generator: generate.py\nworker: work.py\nneeds: cpu(cores=2)\n"


def test_require_freeze_and_unfreeze(call):
    a, b = scan("A"), scan("B")
    assert call(f"require {a} data {b}") == (0, "B requires data\n", "")
    assert call(f"require {a} data {b}")[0] == 2
    run = "ab" * 32
    Path("A", f"wrkdir.{run}", "__esis__").mkdir(parents=True)
    assert call(f"freeze data abab {b}") == (0, f"data is frozen to {run}\n", "")
    assert call(f"unfreeze data {b}") == (0, "data follows its files again\n", "")
    assert call(f"unfreeze data {b}") == (2, "", "launchers scan unfreeze: data is not frozen\n")


def test_a_definition_that_cannot_be_found(call, monkeypatch):
    message = "this folder has no scan.yaml or wf.esis2.json or wf.esis.json: launchers scan setup writes one\n"
    assert call("show") == (2, "", f"launchers scan show: {message}")
    status, _, err = call("show gone.yaml")
    assert (status, err.partition(": No such")[0]) == (2, "gone.yaml:1:1: error LC100")
    scan(".")
    assert call("show")[0] == 0


@pytest.mark.parametrize("action", ["run", "dependency", "show", "list"])
def test_cycles_are_refused(action, call):
    scan("A", {"requires": {"b": "../B/scan.yaml"}})
    b = scan("B", {"requires": {"a": "../A/scan.yaml"}})
    status, _, err = call(f"{action} {b}")
    assert status == 2
    assert err.startswith(f"launchers scan {action}: these scans require each other: ")


# -- running ---------------------------------------------------------------------------------------------------


def test_run_says_what_was_submitted_and_what_was_not(call, capfd):
    file = scan("A")
    status, out, _ = call(f"run {file}")
    folder = folder_of(capfd, file)
    assert (status, out) == (0, f"A: submitted, 3 tasks on box: {folder}\n")
    assert main(["wait", str(folder)]) == 0
    unchanged = f"A: nothing changed, so nothing is submitted; its run is COMPLETED (--force runs it again): {folder}\n"
    assert call(f"run {file}") == (0, unchanged, "")
    assert call(f"run {file} --force")[:2] == (0, f"A: submitted, 3 tasks on box: {folder}\n")
    assert main(["wait", str(folder)]) == 0


def test_a_run_that_has_failed_is_no_success(call, capfd):
    file = scan("A", worker="raise SystemExit(1)\n")
    folder = start(capfd, file)
    assert main(["wait", str(folder)]) == 1
    advice = f"launchers retry {folder} runs what failed, --force runs it again"
    assert call(f"run {file}") == (
        1, f"A: nothing changed, so nothing is submitted; its run is FAILED ({advice}): {folder}\n", "",
    )  # fmt: skip


def test_dependency_runs_what_is_missing_first(call, capfd):
    scan("A")
    b = scan("B", {"requires": {"a": "../A/scan.yaml"}})
    status, out, err = call(f"run {b}")
    assert (status, out) == (1, "")
    assert err.startswith("launchers scan run: B requires runs that are missing or did not succeed:\n  a MISSING: ")
    status, out, _ = call(f"dependency {b}")
    assert (status, [line.partition(":")[0] for line in out.splitlines()]) == (0, ["A", "B"])
    assert main(["wait", str(folder_of(capfd, b))]) == 0


def test_options_of_run_are_used(call):
    file = scan("A", entries={**SCRIPTS})
    Path("other.yaml").write_text("local: [{id: tiny, tags: [tiny], cpu: {cores: 1, memory: 1G}}]\n")
    assert call(f"run {file} --tag gone")[0] == 1
    assert "3 tasks on tiny" in call(f"run {file} --config other.yaml --tag tiny --esis-identity")[1]
    assert "3 tasks on box" in call(f"run {file}")[1]


# -- looking ---------------------------------------------------------------------------------------------------


def test_show_prints_what_goes_into_a_run(call, capfd):
    scan("A")
    b = scan("B", {"requires": {"data": "../A/scan.yaml"}})
    data = show(capfd, b)
    status, out, _ = call(f"show {b}")
    lines = out.splitlines()
    assert (status, lines[0]) == (0, f"wrkdir.{data['hash']} MISSING")
    assert [line.split()[:2] for line in lines[1:5]] == [
        ["setup", "setup.sh"], ["template", "template.sh"], ["worker", "work.py"], ["generator", "generate.py"],
    ]  # fmt: skip
    assert lines[1].split()[2] == data["parts"][0]["sha256"][:16]
    assert lines[5:7] == ["", "REQUIRES  RUN               STATE    FROZEN  SCAN"]
    (required,) = data["requires"]
    assert lines[7].split() == ["data", required["hash"][:16], "MISSING", str(Path("A/scan.yaml").absolute())]


def test_parameters_of_a_definition_have_no_file(call, capfd):
    entries = {"worker": "work.py", "template": "template.sh", "parameters": {"list": [{"x": 1}]}}
    file = scan("A", entries=entries)
    assert show(capfd, file)["parts"][-1]["file"] is None
    assert call(f"show {file}")[1].splitlines()[-1].split()[:2] == ["parameters", "-"]


def test_list_marks_the_current_run(call, capfd):
    file = scan("A")
    old = finish(capfd, file)
    scan("A", worker=WORKER.replace("2 * x", "3 * x"))
    new = finish(capfd, file)
    runs = list_runs(capfd, file)["runs"]
    assert [(run["folder"], run["current"], run["state"], run["tasks"]) for run in runs] == [
        (str(old), False, "COMPLETED", 3),
        (str(new), True, "COMPLETED", 3),
    ]
    status, out, _ = call(f"list {file}")
    head, first, second = out.splitlines()
    assert (status, head.split()) == (0, ["RUN", "STATE", "TASKS", "MADE", "SCAN"])
    made = time.strftime("%Y-%m-%d %H:%M", time.localtime(runs[0]["created"]))
    assert first == f"   {old.name[7:23]}  COMPLETED  3      {made}  A"
    assert second.startswith(f"*  {new.name[7:23]}  COMPLETED  3 ")


def test_list_has_runs_that_esis_made_and_copies(call):
    file = scan("A")
    for name in ("0a", "0a.1"):
        private = Path("A", f"wrkdir.{name}", "__esis__")
        private.mkdir(parents=True)
        (private / "wf_status").write_text("")
    rows = [line.split() for line in call(f"list {file}")[1].splitlines()[1:]]
    assert sorted((row[0], row[1], row[2], row[-1]) for row in rows) == [
        ("0a", "MISSING", "-", "-"), ("0a.1", "MISSING", "-", "-"),
    ]  # fmt: skip


def test_frozen_requirements_are_marked(call, capfd):
    a, b = scan("A"), scan("B", {"requires": {"data": "../A/scan.yaml"}})
    old = finish(capfd, a)
    assert call(f"freeze data {old.name[7:20]} {b}")[1] == f"data is frozen to {old.name[7:]}\n"
    assert list_runs(capfd, b)["requires"][0]["frozen"] is True
    assert f"data      {old.name[7:23]}  COMPLETED  frozen" in call(f"list {b}")[1]


@pytest.mark.parametrize(("command", "print_json"), [("show", show), ("list", list_runs)])
def test_json_has_the_documented_keys(command, print_json, capfd):
    scan("A")
    b = scan("B", {"requires": {"data": "../A/scan.yaml"}})
    assert main(["scan", "dependency", b]) == 0
    data = print_json(capfd, b)
    section = DOCUMENTED.split(f"## scan {command}\n")[1].split("\n## ")[0]
    inner = data["runs"] if command == "list" else [*data["parts"], *data["requires"]]
    keys = {key for entry in (data, *inner) for key in entry}
    assert [key for key in keys if f"`{key}`" not in section] == []
    assert main(["wait", str(folder_of(capfd, b))]) == 0


def test_clean_removes_old_runs_when_told_to(call, capfd):
    file = scan("A")
    old = finish(capfd, file)
    write_yaml(file, {**SCRIPTS, "includes": ["setup.sh"]})
    new = finish(capfd, file)
    assert call(f"clean --scan {file}") == (0, f"would remove (--yes): {old}\n", "")
    assert old.exists()
    assert call(f"clean --scan {file} --yes") == (0, f"removed: {old}\n", "")
    assert (old.exists(), new.exists()) == (False, True)
    assert call(f"clean --scan {file} 77") == (
        2, "", f"launchers scan clean: 0 runs in {old.parent} begin with 77: name one run\n",
    )  # fmt: skip
    assert call(f"clean --scan {file} {new.name[7:15]} --yes") == (0, f"removed: {new}\n", "")
    assert not new.exists()


def test_clean_keeps_what_runs(call, capfd, tmp_path):
    gate = tmp_path / "gate"
    file = scan("A", worker=WAITS.format(gate=gate) + WORKER)
    folder = start(capfd, file)
    assert call(f"clean --scan {file} {folder.name} --yes") == (0, "", f"kept, its tasks have not ended: {folder}\n")
    gate.touch()
    assert main(["wait", str(folder)]) == 0


# -- the commands about runs -----------------------------------------------------------------------------------


def test_the_commands_about_runs_take_a_scan(tmp_path, capfd):
    gate = tmp_path / "gate"
    folder = str(start(capfd, scan("A", {"at_once": 2}, worker=WAITS.format(gate=gate) + WORKER, template=TEMPLATE)))
    until(lambda: open_run(folder).status()[0].counts["RUNNING"] == 2)
    assert main(["status", folder, "--json"]) == 0
    status = json.loads(capfd.readouterr().out)
    assert (status["plan"], status["folder"], [step["name"] for step in status["steps"]]) == ("A", folder, ["scan"])
    assert [job["item"] for job in status["steps"][0]["jobs"]] == [0, 1, 2]
    assert main(["cancel", folder]) == 0
    capfd.readouterr()
    assert main(["wait", folder]) == 1
    gate.touch()
    assert main(["retry", folder]) == 0
    assert capfd.readouterr().out == "submitted again: scan\n"
    assert main(["wait", folder]) == 0
    assert main(["logs", folder, "scan:2"]) == 0
    assert capfd.readouterr().out == "task 2 has 4\n"
    assert main(["retry", folder]) == 0
    assert capfd.readouterr().out == "nothing failed: nothing to retry\n"
    assert main(["report", folder]) == 0
    (page,) = Path(folder).glob("*.html")
    assert "task 2 has 4" in page.read_text()
    assert main(["advise", folder, "--json"]) == 0
    capfd.readouterr()
    assert main(["runs", "A", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["runs"][0]["steps"] == {"COMPLETED": 1}


def test_a_template_cannot_be_escalated(capfd):
    folder = start(capfd, scan("A", worker="raise SystemExit(1)\n"))
    assert main(["wait", str(folder)]) == 1
    assert main(["retry", str(folder), "--escalate", "mem*2"]) == 2
    assert "sbatch.sh; change them there, then run retry again" in capfd.readouterr().err
