"""The documentation is run: every console block and every Python block of README.md, docs and examples."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "examples").rglob("*.md"))]
FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.M | re.S)


def blocks(language, kind=""):
    """All blocks of a language; those of another kind, and those for a cluster, say so behind it."""
    for page in PAGES:
        for number, found in enumerate(FENCE.finditer(page.read_text(encoding="utf-8"))):
            if (found[1], found[2].strip()) == (language, kind):
                yield pytest.param(found[3], id=f"{page.name}-{number}")


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """A folder with the examples in it, and the command on PATH."""
    shutil.copy(ROOT / "launchers.example.yaml", tmp_path)
    shutil.copytree(ROOT / "examples", tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, runs in (("launchers", "-m launchers"), ("python", "")):
        (folder / name).write_text(f'#!/bin/sh\nexec {sys.executable} {runs} "$@"\n')
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return tmp_path


def matches(shown, said):
    """Exact, but for lines of `...`, which stand for any lines, and `…`, which stands for anything in a line."""

    def pattern_of(line):
        return r"(?:.*\n)*?" if line == "..." else re.escape(line).replace("…", ".*") + r"\n"

    pattern = "".join(map(pattern_of, shown.splitlines()))
    return re.fullmatch(pattern, said) is not None


@pytest.mark.parametrize("block", list(blocks("console")))
def test_console(block, scratch):
    """Each `$ command` prints what stands under it (stdout and stderr together), and exits as it says."""
    for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
        command, _, shown = part.partition("\n")
        done = subprocess.run(
            command, shell=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        said = done.stdout + (f"[exit status {done.returncode}]\n" if done.returncode else "")
        assert matches(shown, said), f"$ {command}\n{said}"


@pytest.mark.parametrize("block", list(blocks("python")))
def test_python(block, scratch):
    """Each Python block runs as a program of its own."""
    (scratch / "block.py").write_text(block)
    done = subprocess.run([sys.executable, "block.py"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("block", list(blocks("yaml")))
def test_yaml(block, scratch):
    """Each YAML block is a launchers.yaml without errors; the facts that one names are these."""
    facts = "slurm: [{partitions: {debug: {}, gpu: {nodes: [{hosts: 'n[01-08]', count: 8}]}}}]"
    (scratch / "cluster.yaml").write_text(facts)
    done = subprocess.run(["launchers", "check", "-"], input=block, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("block", list(blocks("yaml", "scan")))
def test_scan(block, scratch):
    """Each of these is a definition of a scan, but for the files that it names."""
    from launchers.scan.definition import parse_definition

    assert parse_definition(block, scratch / "scan.yaml", files=False).rows


def test_there_are_blocks():
    assert len(list(blocks("console"))) >= 5
    assert len(list(blocks("python"))) >= 2


def test_links_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("block", list(blocks("yaml", "flow")))
def test_flow(block, scratch):
    """Each of these is a flow without errors."""
    done = subprocess.run(["launchers", "flow", "check", "-"], input=block, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_key_and_option_of_a_flow_is_documented():
    import attrs

    from launchers.cli.parsing import parser
    from launchers.flow import schema

    text = (ROOT / "docs" / "flows.md").read_text(encoding="utf-8")
    kinds = (
        schema.FlowDocument,
        schema.JobSpec,
        schema.JobResources,
        schema.JobEnvironment,
        schema.Container,
        schema.SweepSpec,
    )
    keys = [one.name.rstrip("_") for kind in kinds for one in attrs.fields(kind)]
    commands = parser("flow")._subparsers._group_actions[0].choices["flow"]._subparsers._group_actions[0].choices
    options = [one for one in commands["run"]._option_string_actions if one.startswith("--")]
    missing = [key for key in keys if f"`{key}`" not in text and f"{key}:" not in text]
    assert missing + [one for one in options if one not in ("--help", "--verbose") and f"`{one}" not in text] == []
