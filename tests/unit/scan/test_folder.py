"""The run folder: copies, parameters, README; and what generator and setup get."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from scans import GENERATOR, SCRIPTS, TEMPLATE, WORKER, executable, finish, outputs, plain_environment, scan

from launchers.scan import ScanError, read_family
from launchers.scan import folder as room
from launchers.scan.folder import OAR_README, count_tasks, fill_run_folder, program_environment

LOOKS = """#!/usr/bin/env python3
import json, os, shutil, sys
entry = {"required": json.loads(os.environ["ESIS2_REQUIREMENTS"]), "include": json.load(open("../includes/i.json"))}
import helper
entry |= {"helper": helper.VALUE, "launchers": shutil.which("launchers"), "prefix": sys.prefix, "x": 0}
json.dump(entry, open("parameters.0.json", "w"))
print(0)
"""


def fill(file, required=None, **options):
    """Fill the folder of a scan's run, and nothing more; its identity, the folder and the number of tasks."""
    family = read_family(Path(file))
    identity = family.identities[family.target]
    folder = Path("run")
    folder.mkdir()
    return identity, folder, fill_run_folder(folder.absolute(), identity, required or {}, **options)


def names_in(folder):
    return {path.name for path in folder.iterdir()}


def test_what_is_in_it():
    executable(Path("A/data/shared.json"), "{}")
    identity, folder, count = fill(scan("A", {"includes": ["data/shared.json"]}))
    assert count == 3
    assert names_in(folder) == {
        "cwd", "parameters", "includes", "__esis__", "README", "setup.sh", "generate.py", "work.py", "setup.log",
    }  # fmt: skip
    assert names_in(folder / "__esis__") == {"wf_status", "wf_starttime", "workflow_definition.yaml"}
    assert (folder / "__esis__" / "wf_status").read_text() == identity.text
    assert (folder / "__esis__" / "workflow_definition.yaml").read_text() == Path("A/scan.yaml").read_text()
    assert names_in(folder / "parameters") == {f"parameters.{number}.json" for number in range(3)}
    assert (folder / "includes" / "shared.json").read_text() == "{}"
    assert (folder / "cwd").stat().st_mode & 0o777 == 0o700
    assert (folder / "setup.log").read_text() == "set up\n"


def test_the_readme_says_how_to_repeat_the_run():
    readme = (fill(scan("A"))[1] / "README").read_text()
    assert readme.startswith(f"A\n=\n\nOne run of the scan {Path('A/scan.yaml').absolute()}.\n")
    assert "one file for each of the 3 tasks" in readme
    assert "    cd cwd\n    sbatch ../sbatch.sh\n" in readme
    assert "    SLURM_ARRAY_TASK_ID=0 ../sbatch.sh\n" in readme


def test_the_readme_of_a_run_on_oar():
    readme = (fill(scan("A"), readme=OAR_README)[1] / "README").read_text()
    assert "    oarsub -S ../oarsub.sh\n" in readme
    assert "    ../oarsub.sh 0\n" in readme
    assert "Slurm" not in readme


def test_a_run_can_be_repeated_without_launchers(capfd):
    folder = finish(capfd, scan("A", template=TEMPLATE.replace("srun ", "")))
    assert folder.stat().st_mode & 0o777 == 0o700
    assert outputs(folder) == ["0", "2", "8"]
    (folder / "cwd" / "out.2").unlink()
    env = {**plain_environment(), "SLURM_ARRAY_TASK_ID": "2"}
    subprocess.run(["../sbatch.sh"], cwd=folder / "cwd", env=env, check=True, capture_output=True)
    assert outputs(folder) == ["0", "2", "8"]


def test_files_in_folders_and_includes_of_one_name():
    """Scripts below and beside the definition, a folder of includes, two includes with the same name."""
    scan("A/scripts")
    for name in ("A/x/p.json", "A/y/p.json", "common/deep/q.json"):
        executable(Path(name), json.dumps(name))
    executable(Path("common/work.py"), WORKER)
    scripts = {role: f"scripts/{name}" for role, name in SCRIPTS.items()}
    more = {"worker": "../common/work.py", "includes": ["x/p.json", "y/p.json", "../common/deep"]}
    _, folder, _ = fill(scan("A", {**scripts, **more}))
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert files >= {
        "scripts/setup.sh", "scripts/generate.py", "work.py",
        "includes/x/p.json", "includes/y/p.json", "includes/deep/q.json",
    }  # fmt: skip
    assert json.loads((folder / "includes/y/p.json").read_text()) == "A/y/p.json"
    assert "scripts/template.sh" not in files


def test_parameters_of_the_definition():
    entries = {"worker": "work.py", "template": "template.sh", "parameters": {"product": {"x": [1, 2], "y": ["a"]}}}
    _, folder, count = fill(scan("A", entries=entries))
    rows = [json.loads((folder / "parameters" / f"parameters.{n}.json").read_text()) for n in range(2)]
    assert (count, rows) == (2, [{"x": 1, "y": "a"}, {"x": 2, "y": "a"}])
    assert not (folder / "setup.log").exists()


def test_a_source_that_changes_while_it_is_copied(monkeypatch):
    file = scan("A")
    copy = shutil.copy

    def copy_meanwhile(source, target):
        Path("A/work.py").write_text("other\n")
        copy(source, target)

    monkeypatch.setattr(room.shutil, "copy", copy_meanwhile)
    with pytest.raises(ScanError, match=r"work.py changed while it was copied: run this again$"):
        fill(file)


# -- generator and setup ---------------------------------------------------------------------------------------


def test_what_the_generator_gets(monkeypatch):
    """Requirements, includes (to read and to import), PATH, the virtual environment; and it may print the last number."""
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    for name, text in (("i.json", "[1]"), ("helper.py", "VALUE = 5\n")):
        executable(Path("A") / name, text)
    _, folder, count = fill(
        scan("A", {"includes": ["i.json", "helper.py"]}, generator=LOOKS), {"data": Path("/runs/a")}
    )
    seen = json.loads((folder / "parameters" / "parameters.0.json").read_text())
    assert (count, seen["required"]) == (1, {"data": "/runs/a"})
    assert (seen["include"], seen["helper"]) == ([1], 5)
    assert (seen["prefix"], seen["launchers"]) == (sys.prefix, f"{sys.prefix}/bin/launchers")


def test_variables_of_the_user_are_kept(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/mine")
    monkeypatch.setenv("VIRTUAL_ENV", "/venv")
    env = program_environment(Path("/run"), {"a": Path("/runs/a")})
    assert env == {
        "ESIS2_REQUIREMENTS": '{"a": "/runs/a"}', "PYTHONPATH": "/mine:/run/includes", "PATH": os.environ["PATH"],
    }  # fmt: skip
    monkeypatch.delenv("PYTHONPATH")
    assert program_environment(Path("/run"), {})["PYTHONPATH"] == "/run/includes"


@pytest.mark.parametrize(
    ("scripts", "message"),
    [
        (
            {"generator": "#!/bin/sh\necho no luck >&2; exit 3\n"},
            "generator generate.py failed with exit status 3:\n  no luck",
        ),
        (
            {"generator": "#!/bin/sh\nseq 1 30; exit 3\n"},
            "failed with exit status 3:\n" + "\n".join(f"  {number}" for number in range(11, 31)),
        ),
        ({"setup": "#!/bin/sh\nexit 4\n"}, "setup setup.sh failed with exit status 4:\n  it printed nothing"),
        ({"generator": "no interpreter\n"}, "cannot run ../generate.py: Exec format error"),
        ({"generator": "no interpreter\n"}, "does it start with #!, and does the program there exist?)"),
    ],
)
def test_a_program_that_fails(scripts, message):
    with pytest.raises(ScanError) as caught:
        fill(scan("A", **scripts))
    assert message in str(caught.value)


def test_a_generator_may_print_more_than_a_pipe_holds():
    noise = "sys.stderr.write('x' * 10**6)\nprint(3)"
    assert fill(scan("A", generator=GENERATOR.replace("print(3)", noise)))[2] == 3


def test_files_that_only_look_like_parameters_do_not_count():
    noise = "open('parameters.3.json.bak', 'w')\nopen('parameters.json', 'w')\nprint(3)"
    assert fill(scan("A", generator=GENERATOR.replace("print(3)", noise)))[2] == 3


@pytest.mark.parametrize(("printed", "numbers"), [("3\n", [0, 1, 2]), ("2\n", [0, 1, 2]), ("1", [0]), ("0", [0])])
def test_a_generator_prints_the_count_or_the_last_number(printed, numbers):
    assert count_tasks(printed, numbers) == len(numbers)


@pytest.mark.parametrize(
    ("printed", "numbers", "message"),
    [
        (
            "5", [0, 1, 2],
            "the generator wrote 3 files parameters.<n>.json, but printed '5': it must print 3 (how many) or 2 (the last number)",
        ),
        ("1", [0, 1, 2], "but printed '1'"),
        ("4", [0, 1, 2], "but printed '4'"),
        ("three", [0, 1, 2], "but printed 'three'"),
        ("", [0], "but printed ''"),
        ("-1", [0], "but printed '-1'"),
        ("x" * 61, [0], f"but printed '{'x' * 60}'"),
        (
            "0", [],
            "the generator wrote 0 files parameters.<n>.json, but number 0 is missing: it must number them 0, 1, 2 and so on",
        ),
        ("2", [0, 2], "wrote 2 files parameters.<n>.json, but number 1 is missing"),
        ("2", [1, 2], "number 0 is missing"),
    ],
)  # fmt: skip
def test_a_generator_that_miscounts(printed, numbers, message):
    with pytest.raises(ScanError) as caught:
        count_tasks(printed, numbers)
    assert message in str(caught.value)
