"""Commands about submitted plans: status, logs, cancel, wait, retry, resume, runs, clean.

A RUN is a run folder, the last part of its name, or nothing for the newest in ./runs.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from launchers.cli import options as shared
from launchers.cli import show

if TYPE_CHECKING:
    from launchers.runs.run import Run
    from launchers.runs.status import MemberState, StepState

T = TypeVar("T")
VERSION = 1
ROOT = Path("runs")


def arguments(command: argparse.ArgumentParser) -> None:
    """Options of the command that is asked for."""
    _ARGUMENTS[command.prog.split()[-1]](command)


def run(options: argparse.Namespace) -> int:
    """Do what is asked; a run folder that cannot be used is exit status 2."""
    from launchers.errors import RunError
    from launchers.runs.run import NoSuchStepError
    from launchers.runs.send import SubmitError

    try:
        return _RUN[options.command](options)
    except (RunError, NoSuchStepError) as error:
        print(f"launchers {options.command}: {error.args[0]}", file=sys.stderr)
        return 2
    except SubmitError as error:
        print(f"launchers {options.command}: {error}", file=sys.stderr)
        return 1


def _one_run(command: argparse.ArgumentParser, *, last: bool = True) -> None:
    command.add_argument("run", metavar="RUN", nargs="?" if last else None, help="a run folder; the newest if left out")


def find_run(name: str | None) -> Run:
    """The run of a name; RunError when there is none, or several."""
    from launchers.errors import RunError
    from launchers.runs.run import open_run

    if name and (Path(name) / "plan.json").exists():
        return open_run(name)
    found = [path for path in run_folders(ROOT) if not name or path.name == name or path.name.endswith(f"-{name}")]
    if not found:
        raise RunError(
            f"there is no run {name or 'here'}: looked for {name or '*'} in ./{ROOT} (launchers runs lists them)"
        )
    if name and len(found) > 1:
        raise RunError(f"{name} is the end of several names: {', '.join(path.name for path in found)}")
    return open_run(found[-1])


def run_folders(root: Path) -> list[Path]:
    """The run folders in a folder, the oldest first."""
    found = [path.parent for path in root.glob("*/plan.json")]
    return sorted(found, key=lambda path: (path / "plan.json").stat().st_mtime_ns)


# -- status ----------------------------------------------------------------------------------------------------


def _status_arguments(command: argparse.ArgumentParser) -> None:
    _one_run(command)
    command.add_argument("--watch", action="store_true", help="show it again and again until everything has ended")
    shared.as_json(command)


def _status(options: argparse.Namespace) -> int:
    found = find_run(options.run)
    if options.watch and sys.stdout.isatty():
        _watch(found)
    elif options.watch:
        found.wait()
    again(found)
    steps = found.status()
    if options.json:
        show.emit(status_json(found, steps))
        return 0
    print(f"{found.store.plan} {found.store.id} on {found.store.group or found.store.scheduler}: {found.folder}")
    show.table(status_rows(steps), STATUS_HEAD)
    return 0


def again(found: Run) -> bool:
    """Submit again what said that it wants more when it fails, and say so; whether there was anything."""
    from launchers.plan.retry import overdue

    done = overdue(found)
    for name, wants in done:
        print(f"launchers: {name} failed: submitted again with {wants}", file=sys.stderr)
    return bool(done)


def closing(found: Run) -> int:
    """Wait for a run to end, retries that it asks for included; a table, and ends of the logs of what failed."""
    good = found.wait()
    while again(found):
        good = found.wait()
    steps = found.status()
    show.table(status_rows(steps), STATUS_HEAD)
    for step in steps:
        if step.state not in ("COMPLETED", "CANCELLED"):
            for line in last_lines(found, step):
                print(line, file=sys.stderr)
    _tell_untold(found)
    return 0 if good else 1


def _tell_untold(found: Run) -> None:
    """Say which messages could not be sent; the run is none the worse for it."""
    from launchers.flow.notify import untold

    for line in untold(found.folder):
        print(f"launchers: {line}", file=sys.stderr)


def last_lines(found: Run, step: StepState, most: int = 10) -> list[str]:
    """The end of the log of the first job of a step that failed, with a heading."""
    bad = next((one for one in step.members if one.ended and one.info.state != "COMPLETED"), None)
    if bad is None:
        return []
    lines: list[str] = []
    for path in found.logs(step.name, bad.number):
        text = path.read_text(encoding="utf-8", errors="replace").splitlines()
        lines += [line for line in text if not line.startswith("submitit ")]
    item = "" if bad.number is None else f":{bad.number}"
    head = f"---- the end of: launchers logs {found.folder.name} {step.name}{item}"
    return [head, *lines[-most:]] if lines else []


STATUS_HEAD = ("STEP", "STATE", "JOBS", "PARTITION", "NODE", "ELAPSED", "LIMIT", "REASON")


def status_rows(steps: Sequence[StepState]) -> list[tuple[str, ...]]:
    """A row per step; of many jobs the counts by state."""
    rows: list[tuple[str, ...]] = []
    for step in steps:
        first = step.members[0] if step.members else None
        many = (
            ", ".join(f"{count} {state}" for state, count in sorted(step.counts.items()))
            if len(step.members) > 1
            else ""
        )
        info = first.info if first else None
        rows.append(
            (
                step.name,
                step.state,
                many or (first.job if first else ""),
                (info.partition if info else "") or step.says,
                info.nodes if info and not many else "",
                info.elapsed if info and not many else "",
                step.limit,
                step.reason,
            )
        )
    return rows


def _watch(found: Run) -> None:
    """A live table until everything has ended; Ctrl-C leaves the jobs as they are."""
    from rich.live import Live
    from rich.table import Table

    def drawn(steps: Sequence[StepState]) -> Table:
        table = Table(box=None, pad_edge=False, title=str(found.folder), title_justify="left")
        for name in STATUS_HEAD:
            table.add_column(name)
        for row in status_rows(steps):
            table.add_row(*row)
        return table

    steps = found.status()
    with Live(drawn(steps), refresh_per_second=4) as live:
        while not all(step.ended for step in steps):
            time.sleep(2)
            steps = found.status()
            live.update(drawn(steps))


def status_json(found: Run, steps: Sequence[StepState]) -> dict[str, Any]:
    """The answer to `status`."""
    now = time.time()
    return {
        "version": VERSION,
        "plan": found.store.plan,
        "id": found.store.id,
        "folder": str(found.folder),
        "scheduler": found.store.scheduler,
        "group": found.store.group,
        "ended": all(step.ended for step in steps),
        "succeeded": all(step.succeeded for step in steps),
        "steps": [
            {
                "name": step.name,
                "state": step.state,
                "reason": step.reason or None,
                "jobs": [job_json(one, now) for one in step.members],
            }
            for step in steps
        ],
    }


def job_json(one: MemberState, now: float) -> dict[str, Any]:
    """A job of a step; Slurm says None where there is nothing to say, and a reason until long after it counts."""
    waits_or_failed = one.info.state not in ("RUNNING", "COMPLETING", "COMPLETED")
    return {
        "item": one.number,
        "job": one.job or None,
        "state": one.info.state,
        "reason": _said(one.info.reason) if waits_or_failed else None,
        "partition": _said(one.info.partition),
        "nodes": _said(one.info.nodes),
        "elapsed": one.elapsed(now),
        "exit": _said(one.info.exit) if one.ended and one.info.started is not None else None,
    }


def _said(text: str) -> str | None:
    return None if text in ("", "None", "None assigned", "(null)") else text


# -- logs, cancel, wait ----------------------------------------------------------------------------------------


def _logs_arguments(command: argparse.ArgumentParser) -> None:
    _one_run(command, last=False)
    command.add_argument("step", metavar="STEP", help="whose logs; of a Map STEP:ITEM for one item")
    command.add_argument("-f", "--follow", action="store_true", help="go on until the step has ended")


def _logs(options: argparse.Namespace) -> int:
    from launchers.errors import RunError
    from launchers.launcher.run_command import Tail

    found = find_run(options.run)
    name, _, item = options.step.partition(":")
    step = found[name]
    if item and not item.isdigit():
        raise RunError(f"{options.step}: an item is a number, such as {name}:3")
    number = int(item) if item else None
    count = found.store.task(name).count
    if number is not None and number >= count:
        raise RunError(f"{options.step}: {name} has no such item, only 0 to {count - 1}")
    tails: dict[Path, Tail] = {}
    while True:
        ended = not options.follow or all(one.ended for one in found.status() if one.name == step.name)
        for path in found.logs(name, number):
            tails.setdefault(path, Tail(path, sys.stdout)).copy()
        if ended:
            break
        time.sleep(1)
    if not tails:
        print(f"launchers logs: {name} has written nothing yet", file=sys.stderr)
    return 0


def _cancel_arguments(command: argparse.ArgumentParser) -> None:
    _one_run(command, last=False)
    command.add_argument(
        "step", metavar="STEP", nargs="*", help="these steps and what hangs on them; everything if left out"
    )
    command.add_argument("--stuck", action="store_true", help="only what waits for a job that failed, for ever")


def _cancel(options: argparse.Namespace) -> int:
    found = find_run(options.run)
    if options.stuck:
        names = found.cancel_stuck()
        print(f"cancelled: {', '.join(names)}" if names else "nothing waits for ever")
        return 0
    over = {step.name for step in found.status() if step.ended}
    names = [name for name in found.cancel(options.step) if name not in over]
    print(f"cancelled: {', '.join(names)}" if names else "all of that has ended")
    return 0


def _wait_arguments(command: argparse.ArgumentParser) -> None:
    _one_run(command)
    command.add_argument("--timeout", type=float, metavar="SECONDS", help="give up after so long")


def _wait(options: argparse.Namespace) -> int:
    found = find_run(options.run)
    good = found.wait(options.timeout)
    while again(found):
        good = found.wait(options.timeout)
    for step in found.status():
        if not step.succeeded:
            print(f"{step.name} {step.state}: {step.reason}", file=sys.stderr)
    _tell_untold(found)
    return 0 if good else 1


# -- again -----------------------------------------------------------------------------------------------------


def _retry_arguments(command: argparse.ArgumentParser) -> None:
    _one_run(command)
    command.add_argument(
        "--escalate", metavar="FACTORS", default="", help="ask for more, such as 'mem*2, duration*1.5'"
    )
    command.add_argument("--config", metavar="FILE", help="the launchers.yaml to place them with")


def _retry(options: argparse.Namespace) -> int:
    from launchers.plan.retry import retry

    names = retry(find_run(options.run), escalate=options.escalate, config=options.config)
    print(f"submitted again: {', '.join(names)}" if names else "nothing failed: nothing to retry")
    return 0


def _resume_arguments(command: argparse.ArgumentParser) -> None:
    _one_run(command)
    command.add_argument("--break-lock", action="store_true", help="take over from a client on another machine")


def _resume(options: argparse.Namespace) -> int:
    from launchers.runs.send import resume

    found = resume(find_run(options.run).folder, break_lock=options.break_lock)
    print(f"{len(found.store.units)} submissions are in the queue or done: {found.folder}")
    return 0


def _runs_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "folder", metavar="FOLDER", nargs="?", default=str(ROOT), help="where runs are; default ./runs"
    )
    shared.as_json(command)


def _each(root: Path, read: Callable[[Run], T]) -> Iterator[T]:
    """What `read` gives of each run of a folder; one that cannot be read keeps nobody from the others."""
    from launchers.errors import RunError
    from launchers.runs.run import open_run

    for path in run_folders(root):
        try:
            yield read(open_run(path))
        except RunError as error:
            print(f"launchers: warning: passed over: {error}", file=sys.stderr)


def _runs(options: argparse.Namespace) -> int:
    runs = list(_each(Path(options.folder), _run_json))
    if options.json:
        show.emit({"version": VERSION, "runs": runs})
    elif runs:
        show.table([_run_row(one) for one in runs], ("RUN", "SUBMITTED", "STEPS"))
    return 0


def _run_row(run: dict[str, Any]) -> tuple[str, str, str]:
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(run["created"]))
    steps = ", ".join(f"{count} {state}" for state, count in sorted(run["steps"].items()))
    return Path(run["folder"]).name, when, steps


def _run_json(found: Run) -> dict[str, Any]:
    counts: dict[str, int] = {}
    for step in found.status():
        counts[step.state] = counts.get(step.state, 0) + 1
    return {
        "plan": found.store.plan,
        "id": found.store.id,
        "folder": str(found.folder),
        "created": found.store.created,
        "steps": counts,
    }


def _clean_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("run", metavar="RUN", nargs="*", help="these runs; all that have ended if left out")
    command.add_argument("--folder", default=str(ROOT), help="where runs are; default ./runs")
    command.add_argument("--yes", action="store_true", help="remove them; without it they are only listed")


def _clean(options: argparse.Namespace) -> int:
    named = [find_run(name) for name in options.run]
    runs = [(run.folder, run.over()) for run in named]
    if not named:
        runs = list(_each(Path(options.folder), lambda run: (run.folder, run.over())))
    for folder in (folder for folder, over in runs if not over):
        print(f"kept, its jobs have not ended: {folder}", file=sys.stderr)
    for folder in (folder for folder, over in runs if over):
        if options.yes:
            shutil.rmtree(folder)
        print(f"{'removed' if options.yes else 'would remove (--yes)'}: {folder}")
    return 0


_ARGUMENTS: dict[str, Callable[[argparse.ArgumentParser], None]] = {
    "status": _status_arguments, "logs": _logs_arguments, "cancel": _cancel_arguments, "wait": _wait_arguments,
    "retry": _retry_arguments, "resume": _resume_arguments, "runs": _runs_arguments, "clean": _clean_arguments,
}  # fmt: skip
_RUN: dict[str, Callable[[argparse.Namespace], int]] = {
    "status": _status, "logs": _logs, "cancel": _cancel, "wait": _wait,
    "retry": _retry, "resume": _resume, "runs": _runs, "clean": _clean,
}  # fmt: skip
