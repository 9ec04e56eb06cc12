"""Scans on this machine: names, folders, requirements, and what becomes of them."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from scans import (
    GENERATOR,
    TEMPLATE,
    WAITS,
    WORKER,
    YAML,
    executable,
    finished,
    folder_of,
    listed,
    plain_environment,
    scan,
    shown,
)

from launchers.cli import main
from launchers.runs.run import open_run


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A machine of two cores, described by hand; USER is not set, as in some batch jobs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("USER", raising=False)
    (tmp_path / "launchers.yaml").write_text("local: [{id: box, cpu: {cores: 2, memory: 2G}}]\n")


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


def until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.05)


# -- 1, 2: the name --------------------------------------------------------------------------------------------


def two(folder):
    """A scan B that requires A, with an include and a folder of includes."""
    scan(folder / "A", more="includes: [shared.json, tables]\n")
    (folder / "A" / "shared.json").write_text("[1]")
    (folder / "A" / "tables").mkdir()
    (folder / "A" / "tables" / "t.csv").write_text("1,2")
    return scan(folder / "B", more="requires: {data: ../A/scan.yaml}\n")


def test_the_name_is_a_function_of_what_goes_in(tmp_path, capfd):
    b = two(tmp_path / "one")
    a = b.replace("B", "A")
    first = [shown(capfd, file)["hash"] for file in (a, b)]
    assert shown(capfd, a)["folder"] == f"{tmp_path}/one/A/wrkdir.{first[0]}"
    assert not list(Path().rglob("wrkdir.*"))
    shutil.copytree("one", "elsewhere")
    for path in Path("elsewhere").rglob("*"):
        os.utime(path, (1, 1))
    assert [shown(capfd, file.replace("one", "elsewhere"))["hash"] for file in (a, b)] == first
    for name in ("setup.sh", "generate.py", "work.py", "shared.json", "tables/t.csv"):
        path = tmp_path / "one" / "A" / name
        text = path.read_text()
        path.write_text(text + "\n")
        changed = [shown(capfd, file)["hash"] for file in (a, b)]
        assert changed[0] != first[0], name
        assert changed[1] != first[1], name
        path.write_text(text)
    path = tmp_path / "one" / "B" / "work.py"
    path.write_text(path.read_text().replace("2 * x", "3 * x"))
    changed = [shown(capfd, file)["hash"] for file in (a, b)]
    assert (changed[0] == first[0], changed[1] == first[1]) == (True, False)


def test_parameters_in_the_definition_count(capfd):
    yaml = "worker: work.py\ntemplate: template.sh\nparameters: {product: {x: [1, 2]}}\n"
    first = shown(capfd, scan("A", yaml=yaml))["hash"]
    assert shown(capfd, scan("A", yaml=yaml.replace("product: {x: [1, 2]}", "list: [{x: 1}, {x: 2}]")))["hash"] == first
    assert shown(capfd, scan("A", yaml=yaml.replace("2]", "3]")))["hash"] != first


def test_how_and_where_it_runs_does_not_count(capfd):
    first = shown(capfd, scan("A"))["hash"]
    assert shown(capfd, scan("A", template=TEMPLATE.replace("0:09", "5:00")))["hash"] == first
    assert shown(capfd, scan("A", more="at_once: 3\nname: other\nworkdir: runs\n"))["hash"] == first
    needs = YAML.replace("template: template.sh", "needs: cpu(cores=1)")
    assert shown(capfd, scan("A", yaml=needs))["hash"] == first
    assert shown(capfd, scan("A", yaml=needs.replace("cores=1", "cores=2")))["hash"] == first


def test_esis_has_a_rule_of_its_own(tmp_path, capfd):
    """As its code computes it: the scripts in its order, includes and requirements by their paths."""
    b = two(tmp_path)
    (tmp_path / "A" / "scan.yaml").write_text(YAML + "includes: [shared.json]\n")
    digests = {name: sha((tmp_path / "A" / name).read_text()) for name in os.listdir(tmp_path / "A") if "." in name}
    scripts = "\n".join(
        f"{key}:{digests[name]}"
        for key, name in (
            ("setupscript", "setup.sh"), ("sbatchtemplate", "template.sh"), ("workerscript", "work.py"),
            ("param_generator", "generate.py"),
        )
    )  # fmt: skip
    a_hash = sha(f"{scripts}\nshared.json:{digests['shared.json']}")
    b_hash = sha(f"{scripts}\n../A/scan.yaml:{a_hash}")
    assert shown(capfd, b.replace("B", "A"), "--esis-identity")["hash"] == a_hash
    assert shown(capfd, b, "--esis-identity")["hash"] == b_hash
    scan("A", template=TEMPLATE + "# more\n")
    assert shown(capfd, b, "--esis-identity")["hash"] != b_hash
    Path("A/scan.yaml").write_text("worker: setup.sh\nparameters: {list: [{}]}\n")
    assert main(["scan", "show", "A/scan.yaml", "--esis-identity"]) == 2
    assert "ESIS's identity needs four scripts; there is no setup and no template" in capfd.readouterr().err


# -- 3, 4: the folder ------------------------------------------------------------------------------------------


def test_the_folder_is_understood_and_run_again_without_this_tool(capfd):
    (Path("A") / "data").mkdir(parents=True)
    Path("A/data/shared.json").write_text("{}")
    folder = finished(capfd, scan("A", more="includes: [data/shared.json]\n", template=TEMPLATE.replace("srun ", "")))
    inside = {path.name for path in folder.iterdir()}
    assert inside >= {"cwd", "parameters", "includes", "__esis__", "sbatch.sh", "README", "setup.sh", "work.py"}
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.name for path in (folder / "__esis__").iterdir()} >= {"wf_status", "wf_starttime"}
    assert (folder / "__esis__" / "workflow_definition.yaml").read_text() == Path("A/scan.yaml").read_text()
    assert sha((folder / "__esis__" / "wf_status").read_text()) == folder.name.removeprefix("wrkdir.")
    assert (folder / "includes" / "shared.json").exists()
    assert [(folder / "cwd" / f"out.{n}").read_text() for n in range(3)] == ["0", "2", "8"]
    assert "sbatch ../sbatch.sh" in (folder / "README").read_text()
    (folder / "cwd" / "out.2").unlink()
    env = {**plain_environment(), "SLURM_ARRAY_TASK_ID": "2"}
    subprocess.run(["../sbatch.sh"], cwd=folder / "cwd", env=env, check=True, capture_output=True)
    assert (folder / "cwd" / "out.2").read_text() == "8"


def test_old_runs_stay_and_the_current_one_is_marked(capfd):
    file = scan("A")
    old = finished(capfd, file)
    before = {path: path.stat().st_mtime_ns for path in old.rglob("*") if "local" not in path.parts}
    scan("A", worker=WORKER.replace("2 * x", "3 * x"))
    new = finished(capfd, file)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    runs = listed(capfd, file)["runs"]
    assert [(one["folder"], one["current"], one["state"], one["tasks"]) for one in runs] == [
        (str(old), False, "COMPLETED", 3),
        (str(new), True, "COMPLETED", 3),
    ]
    assert main(["scan", "list", file]) == 0
    assert f"*  {new.name[7:23]}  COMPLETED  3" in capfd.readouterr().out
    assert main(["scan", "clean", "--scan", file]) == 0
    assert capfd.readouterr().out == f"would remove (--yes): {old}\n"
    assert main(["scan", "clean", "--scan", file, "--yes"]) == 0
    assert (old.exists(), new.exists()) == (False, True)
    assert main(["scan", "clean", "--scan", file, new.name[7:15], "--yes"]) == 0
    assert not new.exists()


def test_editing_a_source_does_not_reach_a_queued_task(tmp_path, capfd):
    gate = tmp_path / "gate"
    file = scan("A", worker=WAITS.format(gate=gate) + WORKER, more="at_once: 1\n")
    assert main(["scan", "run", file]) == 0
    folder = folder_of(capfd, file)
    counts = {}
    until(lambda: counts.update(open_run(folder).status()[0].counts) or "RUNNING" in counts)
    assert open_run(folder).status()[0].counts == {"RUNNING": 1, "PENDING": 2}  # -m holds on this machine too
    for name in ("setup.sh", "generate.py", "work.py", "template.sh"):
        Path("A", name).write_text("exit 1\n")
    gate.touch()
    assert main(["wait", str(folder)]) == 0
    assert (folder / "cwd" / "out.2").read_text() == "8"


# -- 5, 6, 7: making it ----------------------------------------------------------------------------------------


def test_setup_runs_once_though_tasks_run_again(capfd):
    flag = WORKER + 'if n == "1" and not os.path.exists("again"):\n    open("again", "w")\n    raise SystemExit(1)\n'
    file = scan("A", worker=flag)
    assert main(["scan", "run", file]) == 0
    folder = folder_of(capfd, file)
    assert main(["wait", str(folder)]) == 1
    capfd.readouterr()
    assert main(["retry", str(folder)]) == 0
    assert main(["wait", str(folder)]) == 0
    assert (folder / "setup.log").read_text() == "set up\n"
    assert [len(unit.members) for unit in open_run(folder).record.submissions if unit.attempt == 2] == [1]
    assert shown(capfd, file)["state"] == "COMPLETED"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"generator": "#!/bin/sh\necho no luck >&2; exit 3\n"}, "generator generate.py failed with exit status 3:\n  no luck"),
        ({"generator": "#!/bin/sh\necho '{}' > parameters.0.json; echo 7\n"}, "the generator printed '7', and it wrote 1 files"),
        ({"generator": "no interpreter\n"}, "cannot run ../generate.py: Exec format error"),
        ({"setup": "#!/bin/sh\nexit 4\n"}, "setup setup.sh failed with exit status 4:\n  it printed nothing"),
    ],
)  # fmt: skip
def test_what_fails_leaves_nothing_in_the_way(wrong, said, capfd):
    file = scan("A", **wrong)
    assert main(["scan", "run", file]) == 1
    assert said in capfd.readouterr().err
    assert not list(Path("A").glob("wrkdir.*"))
    scan("A")
    finished(capfd, file)


def test_a_client_that_was_killed_leaves_nothing_in_the_way(tmp_path, capfd):
    started, gate = tmp_path / "started", tmp_path / "gate"
    wait = f"while [ ! -e {gate} ]; do sleep 0.1; done"
    slow = f"#!/bin/sh\n[ -e {started} ] || {{ touch {started}; {wait}; }}\necho '{{\"x\": 1}}' > parameters.0.json\necho 1\n"
    file = scan("A", generator=slow)
    client = subprocess.Popen([sys.executable, "-m", "launchers", "scan", "run", file])
    until(started.exists)
    assert main(["scan", "run", file]) == 1
    assert f"process {client.pid} on this machine is working on" in capfd.readouterr().err
    client.send_signal(signal.SIGKILL)
    client.wait()
    assert shown(capfd, file)["state"] == "MISSING"
    assert list(Path("A").glob("wrkdir.*"))
    folder = finished(capfd, file)
    assert (folder / "setup.log").read_text() == "set up\n"
    gate.touch()


LOOKS = """#!/usr/bin/env python3
import json, os, shutil, sys
entry = {"required": json.loads(os.environ["ESIS2_REQUIREMENTS"]), "include": json.load(open("../includes/i.json"))}
import helper
entry |= {"helper": helper.VALUE, "launchers": shutil.which("launchers"), "prefix": sys.prefix, "x": 0}
json.dump(entry, open("parameters.0.json", "w"))
print(0)
"""


def test_what_the_generator_gets(tmp_path, capfd):
    """Requirements, includes (to read and to import), PATH, the virtual environment; and it may print the last index."""
    a = scan("A")
    required = finished(capfd, a)
    for name, text in (("i.json", "[1]"), ("helper.py", "VALUE = 5\n")):
        executable(Path("B") / name, text)
    b = scan("B", generator=LOOKS, more="includes: [i.json, helper.py]\nrequires: {data: ../A/scan.yaml}\n")
    env = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    env["PATH"] = "/usr/bin:/bin"
    subprocess.run([sys.executable, "-m", "launchers", "scan", "run", b], env=env, check=True, capture_output=True)
    seen = json.loads((folder_of(capfd, b) / "parameters" / "parameters.0.json").read_text())
    assert seen["required"] == {"data": str(required)}
    assert (seen["include"], seen["helper"]) == ([1], 5)
    assert (seen["prefix"], seen["launchers"]) == (sys.prefix, f"{sys.prefix}/bin/launchers")


def test_the_three_words_are_replaced_exactly(capfd):
    template = (
        "#!/bin/sh\n#SBATCH --array=TASKARRAYDEFINITION --x\n#ESIS_PRIVATE\n# a WORKERSCRIPT b\npython3 WORKERSCRIPT\n"
    )
    yaml = YAML.replace("work.py", "scripts/work.py").replace("setup.sh", "scripts/setup.sh")
    scan("A/scripts")
    folder = finished(capfd, scan("A", template=template, yaml=yaml, more="at_once: 7\n"))
    assert (folder / "sbatch.sh").read_text() == (
        "#!/bin/sh\n#SBATCH --array=0-2%7 --x\n#\n# a ../scripts/work.py b\npython3 ../scripts/work.py\n"
    )


def test_srun_starts_its_command_once_where_there_is_no_slurm(capfd):
    template = TEMPLATE.replace("srun", "srun -n 1 -c2 --mem=10M -u --cpu-bind=none")
    folder = finished(capfd, scan("A", template=template))
    assert [(folder / "cwd" / f"out.{n}").read_text() for n in range(3)] == ["0", "2", "8"]


def test_a_need_makes_the_file(capfd):
    yaml = (
        "worker: work.py\nneeds: cpu(cores=2, mem=100M) & duration=90 min\nparameters: {zip: {x: [3, 4]}}\nname: made\n"
    )
    folder = finished(capfd, scan("A", yaml=yaml, worker="#!/usr/bin/env python3\n" + WORKER))
    assert (folder / "sbatch.sh").read_text() == (
        "#!/bin/sh\n#SBATCH --job-name=made\n#SBATCH --nodes=1\n#SBATCH --cpus-per-task=2\n#SBATCH --mem=100M\n"
        "#SBATCH --time=90\n#SBATCH --array=0-1%10\n#\n\n../work.py\n"
    )
    assert [(folder / "cwd" / f"out.{n}").read_text() for n in (0, 1)] == ["6", "8"]


# -- 8: requirements -------------------------------------------------------------------------------------------


def diamond(**a):
    """D requires B and C, which both require A."""
    scan("A", **a)
    scan("B", more="requires: {a: ../A/scan.yaml}\n")
    scan("C", more="requires: {a: ../A/scan.yaml}\n")
    return scan("D", more="requires: {b: ../B/scan.yaml, c: ../C/scan.yaml}\n")


def test_dependency_submits_what_is_missing_in_order_and_once(tmp_path, capfd):
    gate = tmp_path / "gate"
    d = diamond(worker=WAITS.format(gate=gate) + WORKER)
    assert main(["scan", "run", d]) == 1
    told = capfd.readouterr().err
    assert "D requires runs that are missing" in told
    for name in "BC":
        assert f"{name.lower()} MISSING: {folder_of(capfd, f'{name}/scan.yaml')}" in told
    assert not list(Path().rglob("wrkdir.*"))
    assert main(["scan", "dependency", d]) == 0
    names = [line.partition(":")[0] for line in capfd.readouterr().out.splitlines()]
    assert sorted(names) == ["A", "B", "C", "D"]
    assert (names[0], names[-1]) == ("A", "D")
    assert len(list(Path().rglob("wrkdir.*"))) == 4
    time.sleep(0.5)
    assert open_run(folder_of(capfd, d)).status()[0].counts == {"PENDING": 3}
    gate.touch()
    assert main(["wait", str(folder_of(capfd, d))]) == 0
    scan("C", worker=WORKER + "# other\n", more="requires: {a: ../A/scan.yaml}\n")
    assert main(["scan", "dependency", d]) == 0
    out = capfd.readouterr().out
    assert [line.partition(":")[0] for line in out.splitlines() if "submitted, 3 tasks" in line] == ["C", "D"]
    assert main(["wait", str(folder_of(capfd, d))]) == 0


def test_a_failed_requirement_is_refused(tmp_path, capfd):
    gate = tmp_path / "gate"
    d = diamond(worker=WAITS.format(gate=gate) + "raise SystemExit(1)\n")
    assert main(["scan", "dependency", d]) == 0
    gate.touch()
    a, b = (folder_of(capfd, f"{name}/scan.yaml") for name in "AB")
    assert main(["wait", str(b)]) == 1
    assert "scan CANCELLED: DependencyNeverSatisfied" in capfd.readouterr().err
    assert main(["scan", "run", "B/scan.yaml", "--force"]) == 1
    assert f"a FAILED: {a}\n    launchers retry {a}" in capfd.readouterr().err
    assert main(["scan", "dependency", d]) == 1
    assert "A: nothing changed, so nothing is submitted; its run is FAILED" in capfd.readouterr().out
    (a / "work.py").write_text(WORKER)
    assert main(["retry", str(a)]) == 0
    assert main(["retry", str(b)]) == 0  # it waits for the other's second attempt
    assert main(["wait", str(b)]) == 0


def test_cycles_are_refused_by_name(capfd):
    diamond()
    Path("A/scan.yaml").write_text(YAML + "requires: {d: ../D/scan.yaml}\n")
    for action in ("run", "dependency", "show", "list"):
        assert main(["scan", action, "D/scan.yaml"]) == 2
        told = capfd.readouterr().err
        assert "these scans require one another: " in told
        assert "A requires D" in told
    assert not list(Path().rglob("wrkdir.*"))


def test_problems_of_required_definitions_are_told_too(capfd):
    d = diamond()
    Path("A/scan.yaml").write_text("worker: nothing\n")
    Path("C/work.py").unlink()
    assert main(["scan", "run", d]) == 2
    told = capfd.readouterr().err
    assert "A/scan.yaml:1:9: error LC113: worker: there is no file nothing" in told
    assert "C/scan.yaml:4:9: error LC113: worker: there is no file work.py" in told


# -- 9, 10: again ----------------------------------------------------------------------------------------------


def test_a_second_run_submits_nothing(tmp_path, capfd):
    gate = tmp_path / "gate"
    file = scan("A", worker=WAITS.format(gate=gate) + WORKER)
    assert main(["scan", "run", file]) == 0
    capfd.readouterr()
    assert main(["scan", "run", file]) == 0
    assert "A: nothing changed, so nothing is submitted; its run is RUNNING (--force" in capfd.readouterr().out
    assert main(["scan", "run", file, "--force"]) == 1
    folder = folder_of(capfd, file)
    assert main(["scan", "run", file, "--force"]) == 1
    assert f"{folder} is still running: launchers cancel {folder}" in capfd.readouterr().err
    gate.touch()
    assert main(["wait", str(folder)]) == 0
    id = open_run(folder).record.id
    assert main(["scan", "run", file]) == 0
    assert "its run is COMPLETED" in capfd.readouterr().out
    assert open_run(folder).record.id == id
    assert main(["scan", "run", file, "--force"]) == 0
    assert main(["wait", str(folder)]) == 0
    assert open_run(folder).record.id != id
    runs = listed(capfd, file)["runs"]
    assert sorted((one["copy"], one["current"], one["state"]) for one in runs) == [
        ("", True, "COMPLETED"), (".1", False, "COMPLETED"),
    ]  # fmt: skip


def test_forcing_what_then_fails_leaves_the_old_run_in_its_place(tmp_path, capfd):
    made = str(tmp_path / "made")
    again = f"if os.path.exists({made!r}):\n    raise SystemExit('once is enough')\nopen({made!r}, 'x')"
    once = GENERATOR.replace("print(3)", f"print(3)\n{again}")
    file = scan("A", generator=once)
    folder = finished(capfd, file)
    assert main(["scan", "run", file, "--force"]) == 1
    assert "once is enough" in capfd.readouterr().err
    assert list(Path("A").glob("wrkdir.*")) == [Path("A") / folder.name]
    assert shown(capfd, file)["state"] == "COMPLETED"


def test_a_template_cannot_be_escalated(capfd):
    file = scan("A", worker="raise SystemExit(1)\n")
    assert main(["scan", "run", file]) == 0
    folder = folder_of(capfd, file)
    assert main(["wait", str(folder)]) == 1
    assert main(["retry", str(folder), "--escalate", "mem*2"]) == 2
    assert "sbatch.sh; change them there, then run retry again" in capfd.readouterr().err


def test_completed_is_what_all_tasks_are_whatever_one_of_them_writes(capfd):
    worker = WORKER + 'open("../__esis__/completed.state", "w").write("1")\nraise SystemExit(n == "2")\n'
    file = scan("A", worker=worker)
    assert main(["scan", "run", file]) == 0
    folder = folder_of(capfd, file)
    assert main(["wait", str(folder)]) == 1
    assert (folder / "__esis__" / "completed.state").read_text() == "1"
    assert shown(capfd, file)["state"] == "FAILED"
    assert main(["scan", "run", file]) == 1
    assert f"launchers retry {folder} runs what failed" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("completed", "state", "status"), [("1", "COMPLETED", 0), ("0", "UNKNOWN", 1), (None, "UNKNOWN", 1)]
)
def test_runs_that_esis_made(completed, state, status, capfd, no_slurm):
    """Nobody knows their job any more: what the run says of itself is honoured."""
    file = scan("A")
    folder = folder_of(capfd, file, "--esis-identity")
    (folder / "__esis__").mkdir(parents=True)
    (folder / "__esis__" / "jobid.tx").write_text("12345\n")
    (folder / "__esis__" / "wf_status").write_text("")
    if completed is not None:
        (folder / "__esis__" / "completed.state").write_text(completed)
    assert shown(capfd, file, "--esis-identity")["state"] == state
    b = scan("B", more="requires: {data: ../A/scan.yaml}\n")
    assert main(["scan", "run", file, "--esis-identity"]) == status
    assert "nothing changed" in capfd.readouterr().out
    assert main(["scan", "freeze", "data", folder.name, b]) == 0
    assert shown(capfd, b)["requires"][0]["state"] == state


# -- 11, 12 ----------------------------------------------------------------------------------------------------


def test_frozen_runs(capfd):
    """Only what exists can be frozen to; the requirement's files may then be anything."""
    a, b = scan("A"), scan("B", more="requires: {data: ../A/scan.yaml}\n")
    assert main(["scan", "freeze", "data", "beef", b]) == 2
    assert "there is no such run" in capfd.readouterr().err
    old = finished(capfd, a)
    with_old = shown(capfd, b)["hash"]
    Path("A/work.py").write_text("broken(\n")
    assert shown(capfd, b)["hash"] != with_old
    assert main(["scan", "freeze", "data", old.name[7:20], b]) == 0
    assert capfd.readouterr().out == f"data is frozen to {old.name[7:]}\n"
    Path("A/work.py").unlink()
    assert shown(capfd, b)["hash"] == with_old
    folder = finished(capfd, b)
    entry = json.loads((folder / "parameters" / "parameters.0.json").read_text())
    assert entry["required"] == {"data": str(old)}
    assert listed(capfd, b)["requires"][0]["frozen"] is True
    assert main(["scan", "list", b]) == 0
    assert f"data      {old.name[7:23]}  COMPLETED  frozen" in capfd.readouterr().out
    shutil.rmtree(old)
    assert main(["scan", "dependency", b, "--force"]) == 1
    assert "data (frozen) MISSING" in capfd.readouterr().err


def test_files_in_folders_and_includes_of_one_name(capfd):
    """Scripts below and beside the definition, a folder of includes, two includes called the same."""
    scan("A/scripts")
    for name in ("A/x/p.json", "A/y/p.json", "common/deep/q.json"):
        executable(Path(name), json.dumps(name))
    executable(Path("common/work.py"), WORKER)
    yaml = "setup: scripts/setup.sh\ngenerator: scripts/generate.py\ntemplate: scripts/template.sh\nworker: ../common/work.py\n"
    Path("A/scan.yaml").write_text(yaml + "includes: [x/p.json, y/p.json, ../common/deep]\nworkdir: ../runs/here\n")
    folder = finished(capfd, "A/scan.yaml")
    assert folder.parent == Path("runs/here").absolute()
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert found >= {
        "scripts/setup.sh", "scripts/generate.py", "work.py",
        "includes/x/p.json", "includes/y/p.json", "includes/deep/q.json",
    }  # fmt: skip
    assert json.loads((folder / "includes/y/p.json").read_text()) == "A/y/p.json"


def test_the_commands_about_runs_work_on_a_scan(tmp_path, capfd):
    gate = tmp_path / "gate"
    file = scan("A", worker=WAITS.format(gate=gate) + WORKER, more="at_once: 2\n")
    assert main(["scan", "run", file]) == 0
    folder = str(folder_of(capfd, file))
    until(lambda: open_run(folder).status()[0].counts["RUNNING"] == 2)
    assert main(["status", folder, "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert (told["plan"], told["folder"], [step["name"] for step in told["steps"]]) == ("A", folder, ["scan"])
    assert [job["item"] for job in told["steps"][0]["jobs"]] == [0, 1, 2]
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


def test_esis_files_are_run(capfd):
    """A scan that `esis setup` and `esis require` wrote, as they write it."""
    for folder in "AB":
        scan(folder)
        Path(folder, "scan.yaml").unlink()
        requires = ["../A/wf.esis.json"] if folder == "B" else []
        Path(folder, "wf.esis.json").write_text(json.dumps({
            "setupscript": "setup.sh", "sbatchtemplate": "template.sh", "workerscript": "work.py",
            "param_generator": "generate.py", "param_includes": [], "status": {}, "requires": requires,
            "maxparallel": "10", "workdirpath": ".", "requires_names": dict.fromkeys(requires, "data"),
        }))  # fmt: skip
    assert main(["scan", "dependency", "B/wf.esis.json"]) == 0
    folder = folder_of(capfd, "B/wf.esis.json")
    assert main(["wait", str(folder)]) == 0
    assert "--array 0-2%10\n" in (folder / "sbatch.sh").read_text()
    assert (folder / "__esis__" / "workflow_definition.json").exists()
    entry = json.loads((folder / "parameters" / "parameters.2.json").read_text())
    assert entry == {"x": 4, "required": {"data": str(folder_of(capfd, "A/wf.esis.json"))}}


def test_json_has_the_documented_shape(capfd):
    finished(capfd, scan("A"))
    b = scan("B", more="requires: {data: ../A/scan.yaml}\n")
    finished(capfd, b)
    documented = (Path(__file__).resolve().parents[3] / "docs" / "json.md").read_text()
    for command, answer in (("show", shown(capfd, b)), ("list", listed(capfd, b))):
        section = documented.split(f"## scan {command}\n")[1].split("\n## ")[0]
        inner = [] if command == "list" else [*answer["parts"], *answer["requires"]]
        for key in {name for one in (answer, *inner, *answer.get("runs", ())) for name in one}:
            assert f"`{key}`" in section, (command, key)


def test_a_folder_that_cannot_be_made(capfd):
    Path("occupied").write_text("a file")
    assert main(["scan", "run", scan("A", more="workdir: ../occupied\n")]) == 1
    assert "cannot make" in capfd.readouterr().err


def test_a_source_that_changes_while_it_is_copied(capfd, monkeypatch):
    from launchers.scan import folder

    file = scan("A")
    copy = shutil.copy

    def meanwhile(source, target):
        Path("A/work.py").write_text("other\n")
        copy(source, target)

    monkeypatch.setattr(folder.shutil, "copy", meanwhile)
    assert main(["scan", "run", file]) == 1
    assert "work.py changed while it was copied: run this again" in capfd.readouterr().err
    assert not list(Path("A").glob("wrkdir.*"))


def test_generator_output_may_be_more_than_a_pipe_holds(capfd):
    file = scan("A", generator=GENERATOR.replace("print(3)", "sys.stderr.write('x' * 10**6)\nprint(3)"))
    finished(capfd, file)
