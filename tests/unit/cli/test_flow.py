"""`launchers flow`: run, check, show, graph."""

import io
import json
import re
import sys

import pytest
from flows import job, page, sweep

from launchers.cli import main
from launchers.files.output import without_seal

SMALLEST = page(job())
TWO = page(job("a"), job("b", "echo {{ n }}", depends_on="afterany:a"), **sweep([1, 2]))


@pytest.fixture(autouse=True)
def scratch(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "launchers.yaml").write_text("local: [{id: here}]\n")
    return tmp_path


@pytest.fixture
def flow(scratch, capsys):
    """Write a page and do something with it; the exit status, stdout and stderr."""

    def do(verb, *options, text=None):
        if text is not None:
            (scratch / "f.yaml").write_text(text)
        capsys.readouterr()
        status = main(["flow", verb, *([] if "-" in options else ["f.yaml"]), *options])
        out, err = capsys.readouterr()
        return status, out, err

    return do


# -- check -------------------------------------------------------------------------------------------------------


def test_check_lists_what_is_wrong(flow):
    assert flow("check", text=SMALLEST)[:2] == (0, "")
    status, out, err = flow("check", text=page(job(nods=1)))
    assert (status, err) == (1, "1 error\n")
    assert out == "f.yaml:5:3: error LC101: jobs[0].nods: unknown key 'nods' (did you mean nodes?)\n"


def test_check_as_json(flow):
    status, out, _ = flow("check", "--json", text=page(job(nods=1)))
    assert status == 1
    assert json.loads(out)["problems"][0]["suggestion"] == "did you mean nodes?"
    status, out, _ = flow("check", "--json", text=SMALLEST)
    assert (status, json.loads(out)["problems"]) == (0, [])


def test_a_file_that_is_not_there(flow, scratch):
    status, out, _ = flow("check")
    assert (status, out) == (1, "f.yaml:1:1: error LC100: No such file or directory\n")
    status, _, err = flow("run")
    assert (status, err) == (2, "f.yaml:1:1: error LC100: No such file or directory\n")
    assert not (scratch / "runs").exists()


def test_a_page_from_stdin(flow, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(page(job(nods=1)).encode())))
    status, out, _ = flow("check", "-")
    assert status == 1
    assert out.startswith("<stdin>:5:3: error LC101")


# -- show --------------------------------------------------------------------------------------------------------


def test_show_lists_jobs_and_cells(flow):
    status, out, _ = flow("show", text=TWO)
    assert status == 0
    assert out.splitlines()[0] == "x on here"
    assert re.search(r"^JOB +CELLS +AFTER +NEED +PLACE +COMMAND$", out, re.M)
    assert re.search(r"^a +1 +cpu\(cores=1\) +here +ls$", out, re.M)
    assert re.search(r"^b +2 +any:a +cpu\(cores=1\) +here +echo 1$", out, re.M)
    assert out.splitlines()[-2:] == ["cell 0: n=1", "cell 1: n=2"]


def test_show_without_a_sweep_has_no_cells(flow):
    out = flow("show", text=page(job("a"), job("b", ["echo", 1], depends_on="a")))[1]
    assert "cell" not in out
    assert re.search(r"^b +1 +a +cpu\(cores=1\) +here +echo 1$", out, re.M)


def test_show_as_json_with_values_of_the_command_line(flow):
    status, out, _ = flow("show", "--json", "--sweep", "n=5,6,7", "--arg", "n=9", text=TWO)
    shown = json.loads(out)
    assert status == 0
    assert (shown["version"], shown["name"], shown["group"]) == (1, "x", "here")
    assert shown["cells"] == [{"n": 5}, {"n": 6}, {"n": 7}]
    assert shown["jobs"][1] == {
        "name": "b", "cells": 3, "after": {"a": "any"}, "need": "cpu(cores=1)", "options": {}, "place": "here",
        "command": "echo 5",
    }  # fmt: skip


def test_arguments_are_names_and_values(flow, capsys):
    assert "echo 0.5" in flow("show", "--arg", "n=0.5", text=page(job(command="echo {{ n }}"), args={"n": 1}))[1]
    for option in ("--arg", "--sweep"):
        for text in ("x", "=1"):
            with pytest.raises(SystemExit, match="2"):
                flow("show", option, text)
            assert f"{text!r} is not NAME=VALUE" in capsys.readouterr().err
    status, _, err = flow("show", "--arg", "x=1", text=SMALLEST)
    assert status == 2
    assert "--arg x: the flow has no such argument" in err
    status, _, err = flow("show", "--sweep", "n=", text=page(job(), args={"n": 1}))
    assert status == 2
    assert "the sweep has no cells" in err


# -- graph -------------------------------------------------------------------------------------------------------

TYPED = page(job("a"), job("b", depends_on="afternotok:a"))


@pytest.mark.parametrize(("form", "start"), [("mermaid", "flowchart"), ("dot", "digraph"), ("svg", "<svg")])
def test_graph_is_text(flow, form, start):
    status, out, _ = flow("graph", "--format", form, text=TYPED)
    assert status == 0
    assert out.startswith(start)


def test_graph_in_a_file(flow, scratch):
    assert flow("graph", "--format", "svg", "-o", "f.svg", text=TYPED) == (0, "", "")
    assert without_seal((scratch / "f.svg").read_text()).startswith("<svg")
    for form in ("dot", "mermaid", "svg"):
        assert flow("graph", "--format", form, "-o", "f.svg", text=TYPED) == (0, "", "")  # ours, in every form
    (scratch / "f.svg").write_text("<svg>mine</svg>")
    assert flow("graph", "--format", "svg", "-o", "f.svg", text=TYPED)[0] == 2
    assert (scratch / "f.svg").read_text() == "<svg>mine</svg>"
    assert flow("graph", "-o", "/nonexistent/f.svg") == (
        2, "", "launchers flow graph: /nonexistent/f.svg: cannot be written: No such file or directory\n",
    )  # fmt: skip


def test_graph_as_png_is_drawn_by_graphviz(flow, scratch, monkeypatch):
    monkeypatch.setenv("PATH", str(scratch))
    status, _, err = flow("graph", "--format", "png", "-o", "f.png", text=SMALLEST)
    assert (status, err) == (
        2,
        "launchers flow graph: Graphviz draws PNGs, and its command dot is not on PATH: install graphviz, or use svg\n",
    )
    (scratch / "dot").write_text('#!/bin/sh\n{ echo "$1"; /bin/cat; } >"$3"\n')
    (scratch / "dot").chmod(0o755)
    assert flow("graph", "--format", "png", "-o", "f.png")[0] == 0
    assert (scratch / "f.png").read_text().startswith("-Tpng\ndigraph")
    (scratch / "dot").write_text("#!/bin/sh\necho out of memory >&2; exit 1\n")
    status, _, err = flow("graph", "--format", "png", "-o", "f.png")
    assert (status, err) == (2, "launchers flow graph: Graphviz cannot draw this graph: out of memory\n")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    status, _, err = flow("graph", "--format", "png")
    assert (status, err) == (2, "launchers flow graph: a terminal cannot show a PNG: use -o FILE\n")


# -- run ---------------------------------------------------------------------------------------------------------


def test_run_waits_and_prints_a_table(flow, scratch):
    status, out, _ = flow("run", text=page(job(), job("b", "exit 3", depends_on="a")))
    (folder,) = (scratch / "runs").iterdir()
    lines = out.splitlines()
    assert status == 1
    assert lines[0] == f"x {folder.name.removeprefix('x-')} on here: {folder}"
    assert [line.split()[:2] for line in lines[1:]] == [["STEP", "STATE"], ["a", "COMPLETED"], ["b", "FAILED"]]


def test_run_leaves_it_running(flow, scratch):
    jobs = [job("a", needs="cpu(mem=1M, cores=1)", escalate="mem*2"), job("b")]
    status, out, err = flow("run", "--detach", text=page(*jobs))
    (folder,) = (scratch / "runs").iterdir()
    assert status == 0
    assert len(out.splitlines()) == 1
    assert err.splitlines() == [
        "launchers: if a fails, launchers wait or launchers resume submits it again with mem*2",
        f"The jobs keep running. To watch them again: launchers wait {folder.name}",
    ]
    assert main(["wait", folder.name]) == 0


def test_run_says_what_it_leaves_out(flow):
    status, _, err = flow("run", "--only", "b", text=page(job("a"), job("b", depends_on="a")))
    assert status == 0
    assert "launchers: left out: a (no run in ./runs completed it; its values will be missing)\n" in err
    assert flow("run", "--resume", text=SMALLEST)[0] == 0
    assert flow("run", "--resume")[:2] == (0, "everything is up to date: nothing to run\n")


def test_a_dry_run_shows_the_scripts_and_leaves_nothing(flow, scratch):
    status, out, _ = flow("run", "--dry-run", text=TWO)
    assert status == 0
    assert "# ---- a: the script\n#!/bin/bash" in out
    assert "# ---- b: the script in the first of 2 cells\n" in out
    assert out.count("#!/bin/bash") == 2
    assert not (scratch / "runs").exists()


def test_a_dry_run_of_a_part_shows_that_part(flow):
    out = flow("run", "--dry-run", "--only", "a", text=TWO)[1]
    assert "---- a:" in out
    assert "---- b:" not in out


def test_a_page_with_mistakes_is_not_run(flow, scratch):
    status, _, err = flow("run", text=page(job(nods=1)))
    assert status == 2
    assert "unknown key 'nods'" in err
    assert not (scratch / "runs").exists()


def test_a_job_that_nothing_offers(flow, scratch):
    for needs in ({"needs": "cuda(mem=900G)*99"}, {"partition": "gpu"}):
        status, _, err = flow("run", text=page(job(**needs)))
        assert status == 1
        assert err.startswith("launchers flow run: ")
        assert not list((scratch / "runs").glob("*"))


def test_a_cluster_that_cannot_be_asked(flow, scratch, monkeypatch):
    monkeypatch.setenv("PATH", str(scratch))
    (scratch / "launchers.yaml").write_text("slurm: [{id: away, query_slurm: true}]\n")
    assert flow("run", text=SMALLEST)[0] == 3


def test_a_file_where_run_folders_go(flow, scratch):
    (scratch / "runs").touch()
    status, _, err = flow("run", text=SMALLEST)
    assert status == 2
    assert "File exists" in err


def test_jobs_that_the_flow_does_not_have(flow):
    status, _, err = flow("run", "--from", "b", "--only", "c", text=SMALLEST)
    assert status == 2
    assert "the flow has no job c; its jobs are: a\nthe flow has no job b; its jobs are: a\n" in err


@pytest.mark.parametrize("option", ["--max-parallel", "--jobs"])
def test_numbers_from_one_up(flow, option):
    for text in ("0", "-1", "x"):
        with pytest.raises(SystemExit, match="2"):
            flow("run", option, text, text=SMALLEST)
