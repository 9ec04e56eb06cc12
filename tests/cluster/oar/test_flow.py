"""A flow of five jobs, the same file on this machine and on OAR, chosen by --tag."""

import json
from pathlib import Path

import pytest

from launchers.cli import main

FLOW = """
name: five
defaults: {needs: "cpu(cores=1, mem=100M) & duration=5m"}
jobs:
- {name: fetch, command: "echo data > data.txt", exports: {file: data.txt}}
- {name: left, command: ["sh", "-c", "cat {{ deps.fetch.file }} > left.txt"], depends_on: fetch}
- {name: right, command: "tr a-z A-Z < {{ deps.fetch.file }} > right.txt", depends_on: fetch, needs: "cuda(mem=16G) & duration=5m"}
- {name: join, command: "cat left.txt right.txt > all.txt; {{ args.last }}", depends_on: [left, right]}
- {name: clean, command: "rm -f left.txt right.txt", depends_on: ["afterany:join"]}
args: {last: "true"}
"""


@pytest.mark.parametrize("tag", ["here", "grid"])
def test_five_jobs(oar, tag, capfd):
    Path("five.yaml").write_text(FLOW)
    assert main(["flow", "run", "five.yaml", "--tag", tag]) == 0, capfd.readouterr().err
    assert Path("all.txt").read_text() == "data\nDATA\n"
    assert not Path("left.txt").exists()


@pytest.mark.parametrize("tag", ["here", "grid"])
def test_the_diamond_of_the_examples(oar, tag, capfd):
    """The file that tests/cluster/slurm/test_flow.py and docs/flows.md run."""
    Path("diamond.yaml").write_text((Path(__file__).parents[3] / "examples" / "diamond.yaml").read_text())
    assert main(["flow", "run", "diamond.yaml", "--tag", tag]) == 0, capfd.readouterr().err


@pytest.mark.parametrize("tag", ["here", "grid"])
def test_a_job_that_fails(oar, tag, capfd):
    """With the exit status that OAR's jobs use for a parent that failed, of all numbers."""
    Path("five.yaml").write_text(FLOW.replace("depends_on: fetch}", "depends_on: fetch, setup: exit 113}"))
    assert main(["flow", "run", "five.yaml", "--tag", tag]) == 1
    capfd.readouterr()
    assert main(["status", "--json"]) == 0
    status = json.loads(capfd.readouterr().out)
    assert {step["name"]: step["state"] for step in status["steps"]} == {
        "fetch": "COMPLETED", "left": "FAILED", "right": "COMPLETED", "join": "CANCELLED", "clean": "COMPLETED",
    }  # fmt: skip
