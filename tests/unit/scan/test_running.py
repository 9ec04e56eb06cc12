"""Whether a scan is run, again or not at all, and what is left when that fails."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from following import until
from scans import GENERATOR, SCRIPTS, TEMPLATE, WAITS, WORKER, esis_scan, outputs, scan, write_yaml

import launchers
from launchers import LauncherNotFoundError, SubmitError, open_run, run_scan
from launchers.runs.folder import RunFolder
from launchers.scan import DefinitionError, ScanError, read_family
from launchers.scan import running as room
from launchers.scan.runs import run_state


def run_one(file, **options):
    """Submit a scan; the outcome."""
    (outcome,) = run_scan(file, **options)
    return outcome


def finish(file, **options):
    """Run a scan to its end; the outcome."""
    outcome = run_one(file, **options)
    assert outcome.submitted
    assert outcome.run.wait()
    return outcome


def run_folder(file):
    family = read_family(Path(file))
    return family.identities[family.target].folder


def run_folders(folder="A"):
    return [path.name for path in Path(folder).glob("wrkdir.*")]


# -- run_scan --------------------------------------------------------------------------------------------------


def test_run_scan_is_public():
    assert launchers.run_scan is room.run_scan
    assert "run_scan" in launchers.__all__


def test_run_scan_submits_the_scan_of_this_folder(monkeypatch):
    scan("A")
    monkeypatch.chdir("A")
    outcome = run_one(None, config="../launchers.yaml")
    assert (outcome.submitted, outcome.state, outcome.is_good) == (True, "RUNNING", True)
    assert outcome.run.wait()
    assert [step.name for step in outcome.run] == ["scan"]
    assert outputs(outcome.identity.folder) == ["0", "2", "8"]


def test_run_scan_raises_what_is_wrong(tmp_path):
    with pytest.raises(DefinitionError, match="launchers scan setup writes one"):
        run_scan()
    file = Path(scan("A"))
    with pytest.raises(LauncherNotFoundError, match="tag"):
        run_scan(file, tags=["gone"])
    Path("other.yaml").write_text("local: [{id: tiny, tags: [tiny], cpu: {cores: 1, memory: 1G}}]\n")
    write_yaml(file, {**SCRIPTS, "parameters": {"list": [{}]}})
    with pytest.raises(launchers.ConfigError, match="exclude each other"):
        run_scan(file)


def test_config_and_tags_choose_the_group():
    Path("other.yaml").write_text("local: [{id: tiny, tags: [tiny], cpu: {cores: 1, memory: 1G}}]\n")
    outcome = run_one(scan("A"), config="other.yaml", tags=iter(["tiny"]))
    assert outcome.run.record.group == "tiny"
    assert outcome.run.wait()


def test_names_by_the_rule_of_esis():
    file = scan("A")
    folder = run_one(file, esis_identity=True).identity.folder
    assert folder.exists()
    assert folder != run_folder(file)
    open_run(folder).wait()


# -- again -----------------------------------------------------------------------------------------------------


def test_a_second_run_submits_nothing(tmp_path):
    gate = tmp_path / "gate"
    file = scan("A", worker=WAITS.format(gate=gate) + WORKER)
    first = run_one(file)
    second = run_one(file)
    assert (second.submitted, second.state, second.is_good) == (False, "RUNNING", True)
    assert second.run.record.id == first.run.record.id
    gate.touch()
    assert first.run.wait()
    third = run_one(file)
    assert (third.submitted, third.state, third.is_good) == (False, "COMPLETED", True)
    assert third.run.record.id == first.run.record.id


def test_a_run_that_has_failed_is_not_good():
    file = scan("A", worker="raise SystemExit(1)\n")
    run_one(file).run.wait(check=False)
    outcome = run_one(file)
    assert (outcome.submitted, outcome.state, outcome.is_good) == (False, "FAILED", False)


def test_force_moves_the_old_run_aside():
    file = scan("A")
    first = finish(file)
    folder = first.identity.folder
    second = finish(file, force=True)
    assert second.run.record.id != first.run.record.id
    assert sorted(run_folders()) == [folder.name, f"{folder.name}.1"]
    finish(file, force=True)
    assert sorted(run_folders()) == [folder.name, f"{folder.name}.1", f"{folder.name}.2"]
    assert open_run(folder.with_name(f"{folder.name}.1")).record.id == first.run.record.id


def test_what_still_runs_is_not_moved_aside(tmp_path):
    gate = tmp_path / "gate"
    file = scan("A", worker=WAITS.format(gate=gate) + WORKER)
    outcome = run_one(file)
    folder = outcome.identity.folder
    with pytest.raises(ScanError, match=rf"^{folder} is still running: launchers cancel {folder}$"):
        run_scan(file, force=True)
    gate.touch()
    assert outcome.run.wait()


def test_an_old_run_stays_as_it_is():
    file = scan("A")
    old = finish(file).identity.folder
    times = {path: path.stat().st_mtime_ns for path in old.rglob("*") if "local" not in path.parts}
    scan("A", worker=WORKER.replace("2 * x", "3 * x"))
    new = finish(file).identity.folder
    assert new != old
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert (outputs(old), outputs(new)) == (["0", "2", "8"], ["0", "3", "12"])


def test_editing_a_source_does_not_reach_a_task_that_waits(tmp_path):
    gate = tmp_path / "gate"
    run = run_one(scan("A", {"at_once": 1}, worker=WAITS.format(gate=gate) + WORKER)).run
    until(lambda: "RUNNING" in run.status()[0].counts)
    assert run.status()[0].counts == {"RUNNING": 1, "PENDING": 2}  # at_once holds on this machine too
    for name in ("setup.sh", "generate.py", "work.py", "template.sh"):
        Path("A", name).write_text("exit 1\n")
    gate.touch()
    assert run.wait()
    assert outputs(run.folder) == ["0", "2", "8"]


def test_setup_runs_once_though_tasks_run_again():
    again = 'if n == "1" and not os.path.exists("again"):\n    open("again", "w")\n    raise SystemExit(1)\n'
    run = run_one(scan("A", worker=WORKER + again)).run
    assert not run.wait(check=False)
    assert launchers.retry(run) == ["scan"]
    assert open_run(run.folder).wait()
    assert (run.folder / "setup.log").read_text() == "set up\n"
    submissions = open_run(run.folder).record.submissions
    assert [len(submission.members) for submission in submissions if submission.attempt == 2] == [1]


def test_a_run_that_esis_made_is_not_run_again(no_slurm):
    file = scan("A")
    family = read_family(Path(file), esis=True)
    private = family.identities[family.target].folder / "__esis__"
    private.mkdir(parents=True)
    (private / "jobid.tx").write_text("12345\n")
    outcome = run_one(file, esis_identity=True)
    assert (outcome.submitted, outcome.state, outcome.run, outcome.is_good) == (False, "UNKNOWN", None, False)


def test_definitions_of_esis():
    esis_scan("A")
    first, second = run_scan(esis_scan("B", ["../A/wf.esis.json"]), dependencies=True)
    assert second.run.wait()
    folder = second.identity.folder
    assert "--array 0-2%10\n" in (folder / "sbatch.sh").read_text()
    assert (folder / "__esis__" / "workflow_definition.json").exists()
    entry = (folder / "parameters" / "parameters.2.json").read_text()
    assert entry == f'{{"x": 4, "required": {{"data": "{first.identity.folder}"}}}}'


# -- failures --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scripts", [{"generator": "#!/bin/sh\nexit 3\n"}, {"setup": "#!/bin/sh\nexit 4\n"}])
def test_a_script_that_fails_leaves_no_folder(scripts):
    file = scan("A", **scripts)
    with pytest.raises(ScanError, match="failed with exit status"):
        run_scan(file)
    assert run_folders() == []
    finish(scan("A"))


def test_forcing_what_then_fails_leaves_the_old_run_in_its_place(tmp_path):
    made = str(tmp_path / "made")
    again = f"if os.path.exists({made!r}):\n    raise SystemExit('once is enough')\nopen({made!r}, 'x')"
    file = scan("A", generator=GENERATOR.replace("print(3)", f"print(3)\n{again}"))
    folder = finish(file).identity.folder
    with pytest.raises(ScanError, match="once is enough"):
        run_scan(file, force=True)
    assert run_folders() == [folder.name]
    assert run_state(folder) == "COMPLETED"


@pytest.mark.parametrize(("transient", "left"), [(False, 0), (True, 1)])
def test_a_refused_submission_leaves_no_folder_and_an_uncertain_one_does(transient, left, monkeypatch):
    """The job may be in the queue then: the next run finds out."""
    error = SubmitError("sbatch: no")
    error.transient = transient

    def refuse(run):
        raise error

    file = scan("A")
    with monkeypatch.context() as patch:
        patch.setattr(room, "submit_pending", refuse)
        with pytest.raises(SubmitError):
            run_scan(file)
    assert len(run_folders()) == left
    if left:
        assert run_state(run_folder(file)) == "UNSUBMITTED"
    outcome = finish(file)
    assert outcome.state == ("UNSUBMITTED" if left else "RUNNING")
    assert (outcome.identity.folder / "__esis__" / "jobid.tx").exists()


def test_a_client_that_is_killed_leaves_nothing_in_the_way(tmp_path):
    started, gate = tmp_path / "started", tmp_path / "gate"
    wait = f"while [ ! -e {gate} ]; do sleep 0.1; done"
    slow = f"#!/bin/sh\n[ -e {started} ] || {{ touch {started}; {wait}; }}\necho '{{\"x\": 1}}' > parameters.0.json\necho 1\n"
    file = scan("A", generator=slow)
    client = subprocess.Popen([sys.executable, "-m", "launchers", "scan", "run", file])
    until(started.exists)
    with pytest.raises(launchers.RunError, match=f"process {client.pid} on this machine is working on"):
        run_scan(file)
    client.send_signal(signal.SIGKILL)
    client.wait()
    assert run_state(run_folder(file)) == "MISSING"
    assert run_folders() == [run_folder(file).name]
    assert (finish(file).identity.folder / "setup.log").read_text() == "set up\n"
    gate.touch()


def test_a_folder_that_cannot_be_made():
    Path("occupied").write_text("a file")
    with pytest.raises(ScanError, match=r"^cannot create .*/occupied/wrkdir\..*: Not a directory$"):
        run_scan(scan("A", {"workdir": "../occupied"}))


def test_a_folder_that_another_process_makes_meanwhile(monkeypatch):
    """Between looking and locking."""
    file = scan("A")
    folder = finish(file).identity.folder
    monkeypatch.setattr(room, "run_state", lambda path: "MISSING")
    with pytest.raises(ScanError, match="was made by another process just now"):
        run_scan(file)
    assert (folder / "plan.json").exists()


def test_what_a_template_asks_for_cannot_be_multiplied():
    run = run_one(scan("A", worker="raise SystemExit(1)\n", template=TEMPLATE)).run
    run.wait(check=False)
    with pytest.raises(launchers.RunError, match=r"sbatch.sh; change them there, then run retry again"):
        launchers.retry(run, escalate="mem*2")


def test_who_clears_a_folder_keeps_its_lock(tmp_path):
    folder = RunFolder(tmp_path)
    (tmp_path / "cwd").mkdir()
    (tmp_path / "README").touch()
    with folder.lock():
        room._clear(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["lock"]
        assert folder.is_locked
