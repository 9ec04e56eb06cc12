"""tools/chaos: its judge sees what is wrong, and a bounded part of its attacks finds nothing.  `make long` tries more."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from effort import LONG

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

from chaos_run.judge import FAULTS, judge  # noqa: E402
from chaos_run.made_up import dependency_met  # noqa: E402
from chaos_run.scene import Ended, Scene  # noqa: E402
from chaos_run.shapes import StepShape  # noqa: E402

CHAIN = (StepShape("a"), StepShape("b", failing=("-",), after={"a": "ok"}), StepShape("c", after={"b": "ok"}))
TRUE = {"a": "COMPLETED", "b": "FAILED", "c": "CANCELLED"}
LINES = ("a start", "a 0", "b start", "b 3")


class Said(Scene):
    """A try of which `launchers status` says what a test wants."""

    said: dict

    def ask(self, verb, *words, bound=0):
        jobs = {step: [{"item": None, "state": state, "reason": ""}] for step, state in self.said.items()}
        steps = [{"name": step, "jobs": rows} for step, rows in jobs.items()]
        return Ended((verb,), 0, json.dumps({"steps": steps}))


@pytest.fixture
def faults(tmp_path):
    """What the judge finds in states, lines of the ledger, and what clients have printed."""

    def judged(states=TRUE, lines=LINES, output="", **done):
        scene = Said("kill", 0, tmp_path, random.Random(1), CHAIN, dict(os.environ), **done)
        scene.said = states
        scene.prepare("")
        (scene.runs / "chaos-1").mkdir()
        (scene.runs / "chaos-1" / "plan.json").touch()
        rows = [line.split() for line in lines]
        scene.ledger.write_text("".join(f"{s} - {s} 7 {n} 1 {n} {word}\n" for n, (s, word) in enumerate(rows)))
        scene.clients.append(Ended(("resume",), None if output == "never" else 0, output))
        judge(scene)
        return {fault for fault, _ in scene.faults}

    return judged


def test_the_judge_is_content(faults):
    assert faults() == set()


@pytest.mark.parametrize(
    ("fault", "case"),
    [
        ("lost", {"lines": LINES[2:]}),  # it is called COMPLETED and never ran
        ("lost", {"lines": ("a start", *LINES[2:])}),  # or did not end with 0
        ("lost", {"states": {**TRUE, "b": "CANCELLED"}, "lines": LINES[:2]}),  # nothing forbids it
        ("doubled", {"lines": ("a start", *LINES)}),
        ("blocked", {"output": "never"}),
        ("blocked", {"states": {**TRUE, "c": "PENDING"}}),
        ("blocked", {"states": {}}),
        ("wrong", {"lines": (*LINES, "c start", "c 0")}),  # what it waits for has failed
        ("wrong", {"states": {**TRUE, "a": "FAILED"}}),
        ("wrong", {"states": {**TRUE, "b": "TIMEOUT"}}),
        ("traceback", {"output": "Traceback (most recent call last):\n"}),
    ],
)
def test_the_judge_sees(faults, fault, case):
    assert fault in faults(**case)


def test_what_was_done_is_no_fault(faults):
    assert faults(dict.fromkeys(TRUE, "CANCELLED"), lines=(), cancels=True) == set()


def test_the_slurm_that_is_made_up_knows_dependencies():
    jobs = [{"id": 1, "index": n, "state": state} for n, state in enumerate(("COMPLETED", "FAILED", "RUNNING"))]

    def met(after, index=None):
        return dependency_met({"after": after, "index": index}, jobs)

    assert [met("aftercorr:1", index) for index in range(3)] == [True, False, None]
    assert (met("afterok:1"), met("afterany:1"), met("afternotok:1"), met("after:1")) == (False, None, None, True)
    assert met("afterok:9") is True  # forgotten
    assert met("afterok:1_0,afternotok:1_1") is True


TRIES = {"here": 500, "fake": 200} if LONG else {"here": 9, "fake": 4}
KINDS = {"here": [], "fake": [] if LONG else ["--kind", "kill,parents,ids"]}
"""What is tried; all kinds, where nothing is said."""


@pytest.mark.timeout(7200 if LONG else 900)
@pytest.mark.parametrize("bed", TRIES)
def test_attacked(bed):
    tries = TRIES[bed]
    argv = [ROOT / "tools" / "chaos", bed, *KINDS[bed], "--tries", str(tries), "--seed", "1", "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    counts = json.loads(done.stdout)["counts"]
    assert sum(row["tries"] for row in counts) == tries
    assert sum(row["jobs"] for row in counts) > tries
    assert not any(row[fault] for row in counts for fault in FAULTS)
