"""Running parts of a flow, and what need not run again."""

import os
from pathlib import Path

import pytest

from launchers.cli import main
from launchers.flow.read import loads
from launchers.flow.up_to_date import select_jobs
from launchers.runs.run import open_run

GRAPH = """
name: graph
jobs:
  - {name: last, command: [ls], depends_on: [left, right]}
  - {name: left, command: [ls], depends_on: [first]}
  - {name: alone, command: [ls]}
  - {name: right, command: [ls], depends_on: ["afterany:first"]}
  - {name: first, command: [ls]}
"""


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({}, "first left right last alone"),
        ({"start": ["left"]}, "left last"),
        ({"start": ["first"]}, "first left right last"),
        ({"end": ["left"]}, "first left"),
        ({"start": ["left", "alone"]}, "left last alone"),
        ({"start": ["first"], "end": ["right"]}, "first right"),
        ({"only": ["last", "alone"]}, "last alone"),
        ({"start": ["left"], "end": ["right"]}, ""),
    ],
)
def test_a_part_is_of_the_graph_and_not_of_the_order_in_the_file(asked, wanted):
    assert select_jobs(loads(GRAPH), **asked) == set(wanted.split())


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "launchers.yaml").write_text("local: [{id: here}]\n")


FLOW = """
name: steps
args: {lr: 1}
jobs:
  - name: make
    command: "cat source > made; echo FROM={{ run.dir }} >> $LAUNCHERS_OUTPUT"
    inputs: [source]
    outputs: [made]
    exports: {WHERE: "{{ run.dir }}"}
  - {name: use, command: "cat made > used; echo $FROM is {{ deps.make.WHERE }}", inputs: [made], depends_on: [make]}
  - {name: train, command: "echo {{ lr }}", depends_on: [use]}
"""


def ran(*options, text=FLOW):
    """The names of the jobs that ran, none if there was nothing to run."""
    Path("f.yaml").write_text(text)
    before = set(Path("runs").glob("*"))
    assert main(["flow", "run", "f.yaml", *options]) == 0
    (fresh,) = set(Path("runs").glob("*")) - before or [None]
    return [task.name for task in open_run(fresh).store.tasks] if fresh else []


def test_resume_leaves_out_what_is_up_to_date(capsys):
    Path("source").write_text("1")
    assert ran("--resume") == ["make", "use", "train"]
    assert ran("--resume") == []
    assert "everything is up to date: nothing to run" in capsys.readouterr().out
    assert ran("--resume", "--arg", "lr=2") == ["train"], "another resolved job"
    Path("source").write_text("2")
    assert ran("--resume") == ["make", "use", "train"], "a newer input, and what hangs on it"
    Path("made").unlink()
    assert ran("--resume") == ["make", "use", "train"], "an output that is gone"
    assert ran("--resume", text=FLOW.replace("cat made > used", "cp made used")) == ["use", "train"]
    assert ran() == ["make", "use", "train"], "without --resume all of it"


def test_resume_after_a_failure(capsys):
    text = FLOW.replace('"echo {{ lr }}"', '"test -e allowed"')
    Path("source").write_text("1")
    Path("f.yaml").write_text(text)
    assert main(["flow", "run", "f.yaml"]) == 1
    Path("allowed").touch()
    assert ran("--resume", text=text) == ["train"]


def test_a_job_without_outputs_is_as_old_as_its_run_and_a_script_is_an_input():
    text = "name: s\njobs:\n- {name: a, script: s.sh, inputs: [data]}\n"
    Path("s.sh").write_text("echo 1\n")
    Path("data").write_text("x")
    assert ran("--resume", text=text) == ["a"]
    assert ran("--resume", text=text) == []
    Path("s.sh").write_text("echo 2\n")
    assert ran("--resume", text=text) == ["a"]
    later = os.stat("s.sh").st_mtime + 60
    os.utime("data", (later, later))
    assert ran("--resume", text=text) == ["a"]


def test_a_part_is_given_the_values_and_exports_of_the_run_before(capsys):
    Path("source").write_text("1")
    ran()
    (first,) = Path("runs").iterdir()
    assert ran("--from", "use", "--to", "use") == ["use"]
    assert f"left out: make (done in {first.name})" in capsys.readouterr().err
    second = next(path for path in Path("runs").iterdir() if path != first)
    said = "".join(path.read_text() for path in open_run(second).logs("use"))
    assert f"{first.absolute()} is {first.absolute()}\n" in said


def test_an_empty_part_is_said_to_be_one(capsys):
    Path("f.yaml").write_text(GRAPH)
    assert main(["flow", "run", "f.yaml", "--from", "left", "--to", "right"]) == 2
    assert "no job is left of that part of the graph" in capsys.readouterr().err


def test_values_of_a_job_that_was_another_then_are_said_to_be(capsys):
    Path("source").write_text("1")
    ran()
    ran("--only", "train", text=FLOW.replace("cat made > used", "cp made used"))
    assert "use was another job in steps-" in capsys.readouterr().err


PARTLY = """
name: partly
args: {n: 0}
sweep: {matrix: {n: [1, 2]}}
jobs:
  - {name: train, command: "echo S={{ n }} >> $LAUNCHERS_OUTPUT; [ {{ n }} = 1 ]"}
  - {name: ev, command: "echo score ${S:-none}", depends_on: [train]}
"""


def test_what_has_not_succeeded_hands_nothing_on_and_that_is_said(capsys):
    Path("f.yaml").write_text(PARTLY)
    assert main(["flow", "run", "f.yaml"]) == 1
    capsys.readouterr()
    assert main(["flow", "run", "f.yaml", "--from", "ev"]) == 0
    said = "left out: train (no run in ./runs has all of it done; what it hands on will not be there)"
    assert said in capsys.readouterr().err
    assert main(["flow", "run", "f.yaml", "--to", "train", "--dry-run"]) == 0
    assert "will not be there" not in capsys.readouterr().err
