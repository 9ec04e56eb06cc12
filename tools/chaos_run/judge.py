"""What became of a run, in the words of launchers, held against what its jobs have written themselves.

lost       called COMPLETED and never ended with 0; or it never ran, though nothing forbade it
doubled    more than one start of one item in one attempt
blocked    a command does not end in its bound, or the run has no end after `resume` and `wait`
wrong      a state that contradicts the ledger, a job that ran though what it waits for did not come about, a state
           of a job that is not ours
traceback  a traceback in any output or log of ours
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from chaos_run.scene import BUG, Ended, Line, Scene
from chaos_run.shapes import StepShape

FAULTS = ("lost", "doubled", "blocked", "wrong", "traceback")
ENDED = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "LOST"}
RESUMES = 4
"""How often somebody tries to resume before he gives up."""
REPAIRS = 2
"""How often an administrator looks after jobs that Slurm neither starts nor ends."""


def heal(scene: Scene, bed: Any, *, retries: int = 0) -> None:
    """Do what a user does after the trouble is over: resume, wait, and retry what failed of it."""
    bound = bed.bound
    if scene.run is None:  # the disk was full, or the scheduler away: again, by hand
        again = scene.call(*scene.submission, bound=bound)
        if scene.run is None:
            scene.fault("lost", f"nothing can be submitted, though all is well: {again.output[-300:]}")
    for _ in range(RESUMES):
        resumed = scene.ask("resume", bound=bound)
        if resumed is None or resumed.status == 0:
            break
    if scene.forgotten:  # by his word, what nobody knows is lost, and runs again
        scene.ask("wait", "--timeout", "20", bound=bound)
        scene.ask("retry", "--lost", bound=bound)
    scene.ask("wait", "--timeout", f"{bound:g}", bound=bound + 30)
    for _ in range(REPAIRS):
        if not is_stuck(scene) or not bed.repair():
            break
        scene.note("repaired")
        scene.ask("wait", "--timeout", f"{2 * bound:g}", bound=2 * bound + 30)
    for _ in range(retries):
        scene.ask("retry", bound=bound)
        scene.ask("wait", "--timeout", f"{bound:g}", bound=bound + 30)


def is_stuck(scene: Scene) -> bool:
    """Whether jobs wait or run that ought to have ended."""
    states = read_states(scene.ask("status", "--json"))
    return any(state in ("PENDING", "RUNNING") for state, _ in states.values())


def judge(scene: Scene) -> None:
    """Note everything that is wrong."""
    judge_outputs(scene)
    lines = scene.lines()
    judge_starts(scene, lines)
    if scene.run is None:
        if lines:
            scene.fault("wrong", f"{len(lines)} lines in the ledger, and no run")
        return
    status = scene.ask("status", "--json")
    states = read_states(status)
    if not states:
        scene.fault("blocked", f"status says nothing: {status.output[-300:] if status else ''}")
        return
    judge_outputs(scene)
    for step in scene.shape:
        judge_step(scene, step, states, lines)


def judge_outputs(scene: Scene) -> None:
    """Tracebacks, bugs, and commands that did not end."""
    for client in scene.clients:
        if "Traceback (most recent" in client.output or client.status == BUG:
            scene.fault("traceback", f"{' '.join(client.words)[:80]}: {client.output[-400:]}{bug_report(scene)}")
        if client.status is None:
            scene.fault("blocked", f"{' '.join(client.words)[:80]} did not end: {client.output[-300:]}")
    scene.clients.clear()
    if scene.run is not None:
        for path in scene.run.rglob("*"):
            if path.suffix in (".log", ".err", ".out") and path.is_file():
                text = path.read_text(errors="replace")
                if "Traceback (most recent" in text and not expected_traceback(text):
                    scene.fault("traceback", f"{path.relative_to(scene.run)}: {text[-400:]}")


def bug_report(scene: Scene) -> str:
    """The end of the newest traceback that launchers has written into a file."""
    files = sorted(scene.folder.glob("tmp/*/traceback.txt"), key=lambda path: path.stat().st_mtime)
    return files[-1].read_text()[-600:] if files else ""


def expected_traceback(text: str) -> bool:
    """Whether it is that of a job that failed, which belongs into its log: submitit's, of a command's exit status."""
    return "StepCommandError" in text


def judge_starts(scene: Scene, lines: list[Line]) -> None:
    """No item starts twice in one attempt, but where the scheduler was told so, or forgot that a job had failed."""
    starts = Counter((line.step, line.item, line.submission) for line in lines if line.word == "start")
    if scene.forgotten:
        starts -= Counter((line.step, line.item, line.submission) for line in lines if line.word not in ("start", "0"))
    requeued = {(line.step, line.item, line.submission) for line in lines if line.job in scene.requeued}
    for (step, item, submission), number in starts.items():
        if number > 1 and (step, item, submission) not in requeued:
            scene.fault("doubled", f"{step} {item} of {submission} started {number} times")


def read_states(status: Ended | None) -> dict[tuple[str, str], tuple[str, str]]:
    """State and reason of each job, as `status --json` has them."""
    try:
        said = json.loads(status.output[status.output.index("{") :]) if status else {}
    except ValueError:
        return {}
    return {
        (step["name"], "-" if job["item"] is None else str(job["item"])): (job["state"], job["reason"])
        for step in said.get("steps", ())
        for job in step["jobs"]
    }


def judge_step(
    scene: Scene, step: StepShape, states: dict[tuple[str, str], tuple[str, str]], lines: list[Line]
) -> None:
    """Each job of a step against its lines, and against what it waits for."""
    mine = defaultdict(list)
    for line in lines:
        if line.step == step.name:
            mine[line.item].append(line)
    for item in step.members:
        state, reason = states.get((step.name, item), ("MISSING", ""))
        where = f"{step.name}{'' if item == '-' else ':' + item} is {state} ({reason})"
        if scene.forgotten and state in ("UNKNOWN", "LOST"):
            continue
        if state not in ENDED:
            scene.fault("blocked", where)
            continue
        _judge_job(scene, step, state, where, mine[item], may_run(scene, step, item, states))
        for line in mine[item]:
            if line.word == "start" and not parents_succeeded(scene, step, item, line, lines):
                scene.fault("wrong", f"{step.name} {item} ran before what it waits for had succeeded")
                break


def _judge_job(scene: Scene, step: StepShape, state: str, where: str, lines: list[Line], allowed: bool) -> None:
    succeeded = any(line.word == "0" for line in lines)
    if state == "COMPLETED" and not succeeded:
        scene.fault("lost", f"{where}, and it never ended with 0")
    elif state == "FAILED" and succeeded and not (scene.kills or scene.denies):
        scene.fault("wrong", f"{where}, and it ended with 0")
    elif state == "FAILED" and not lines and not (scene.denies or scene.kills):
        scene.fault("lost", f"{where}, and it never ran")
    elif state == "CANCELLED" and not scene.cancels and lines and not (scene.kills or scene.denies):
        scene.fault("wrong", f"{where}, and it ran")
    elif state == "CANCELLED" and not scene.cancels and allowed and not lines:
        scene.fault("lost", f"{where}, though nothing forbids it")
    elif state in ("TIMEOUT", "LOST"):
        scene.fault("wrong" if state == "TIMEOUT" else "lost", where)


def may_run(scene: Scene, step: StepShape, item: str, states: dict[tuple[str, str], tuple[str, str]]) -> bool:
    """Whether what a job waits for has come about, by the states that launchers gives."""
    shapes = {other.name: other for other in scene.shape}
    for parent, on in step.after.items():
        all_states = [states.get((parent, member), ("", ""))[0] for member in shapes[parent].members]
        if on == "each":
            all_states = [states.get((parent, item), ("", ""))[0]]
        good = all(state == "COMPLETED" for state in all_states)
        failed = any(state in ("FAILED", "TIMEOUT") for state in all_states)
        if (on in ("ok", "each") and not good) or (on == "failed" and not failed):
            return False
        if on == "any" and not all(state in ENDED for state in all_states):
            return False
    return True


def parents_succeeded(scene: Scene, step: StepShape, item: str, start: Line, lines: list[Line]) -> bool:
    """Whether the ledger has the success, or failure, of what a job waits for before it started."""
    shapes = {other.name: other for other in scene.shape}
    for parent, on in step.after.items():
        members = [item] if on == "each" else shapes[parent].members
        before = [line for line in lines if line.step == parent and line.uptime <= start.uptime + 0.02]
        good = all(any(line.item == member and line.word == "0" for line in before) for member in members)
        if on in ("ok", "each") and not good:
            return False
        if on == "failed" and good:
            return False
    return True


def fingerprint(scene: Scene) -> str:
    """What must not change any more once a run has ended."""
    return Path(scene.ledger).read_text()
