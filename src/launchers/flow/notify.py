"""Telling people: small jobs at the start and the end of a flow that send through apprise; no client needs to stay.

A URL is a secret.  A job knows only where it is: the name of a variable of its environment, or a file.
"""

from __future__ import annotations

import logging
import os
import re
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

from launchers.plan.plan import Plan
from launchers.plan.tree import Dag, PlanError, Step
from launchers.requirement import parse
from launchers.variables import RUN_DIR, STEP

STARTED, FINISHED = "notify.started", "notify.finished"
NEED = parse("cpu(cores=1) & duration=5m")
INLINE = "LAUNCHERS_NOTIFY_URL_"


def secrets(urls: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Where each URL is to be found (``$NAME`` or ``file:PATH``), and variables for those that were given themselves.

    Raises PlanError for a variable that is not set, and for a file that others can read.
    """
    places, variables, problems = [], {}, []
    for number, url in enumerate(urls):
        if url.startswith("$"):
            problems += [] if url[1:] in os.environ else [f"notify: {url} is not set in the environment"]
            places.append(url)
        elif url.startswith("file:"):
            path = Path(url.removeprefix("file:")).expanduser().absolute()
            problems += _file_problems(path)
            places.append(f"file:{path}")
        else:
            variables[f"{INLINE}{number}"] = url
            places.append(f"${INLINE}{number}")
    if problems:
        raise PlanError(problems)
    return places, variables


def _file_problems(path: Path) -> list[str]:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return [f"notify: {path}: {error.strerror}"]
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        return [f"notify: {path} can be read by others (mode {stat.S_IMODE(mode):o}): chmod 600 {path}"]
    return []


def with_messages(plan: Plan, places: Sequence[str], on: Sequence[str]) -> Plan:
    """The plan with the jobs that send."""
    dag = plan.root
    assert isinstance(dag, Dag)
    steps = [step for step in dag.nodes if isinstance(step, Step)]
    after = {name: dict(waits) for name, waits in dag.after.items()}
    more = []
    if "started" in on:
        root = next(step.name for step in steps if not after.get(step.name))
        more.append(Step(STARTED, NEED, Message("started", tuple(places))))
        after[STARTED] = {root: "started"}
    if {"finished", "failed"} & set(on):
        wanted = tuple(one for one in ("finished", "failed") if one in on)
        more.append(Step(FINISHED, NEED, Message("ended", tuple(places), wanted)))
        after[FINISHED] = {step.name: "any" for step in steps}
    for step in more:
        step.srun = False
    return Plan(plan.name, Dag(*steps, *more, after=after), need=plan.need)


@frozen
class Message:
    """Sends how a run stands.  Nobody's job has failed when it cannot: that is told in its log, and to `untold`."""

    when: str
    places: tuple[str, ...]
    wanted: tuple[str, ...] = ()

    def __call__(self) -> None:
        """Send it."""
        run_folder, step = Path(os.environ[RUN_DIR]), os.environ[STEP]
        try:
            self._send(run_folder)
        except (RuntimeError, OSError, ValueError) as error:
            print(f"launchers: {step}: {error}", file=sys.stderr)
            _unsent(run_folder, step).write_text(f"{step}: {error}\n", encoding="utf-8")

    def _send(self, folder: Path) -> None:
        from launchers.runs.run import open_run

        run = open_run(folder)
        states = {step.name: step for step in run.status() if step.name not in (STARTED, FINISHED)}
        title = f"{run.store.plan} {run.store.id}"
        if self.when == "started":
            return send(self.places, f"{title} started", f"{len(states)} steps on {run.store.group}\n{run.folder}")
        bad = [step for step in states.values() if not step.succeeded]
        outcome = "failed" if bad else "finished"
        if outcome not in self.wanted:
            return None
        lines = [f"{step.name}: {step.state} {step.reason}".rstrip() for step in bad]
        idle = [step.name for step in states.values() if step.left_out]
        good = f"all {len(states)} steps completed" if not idle else f"completed; not needed: {', '.join(idle)}"
        text = "\n".join(lines) or good
        return send(self.places, f"{title} {outcome}", f"{text}\n{run.folder}")


def _unsent(folder: Path, step: str) -> Path:
    return folder / "steps" / step / "unsent"


def untold(folder: Path) -> list[str]:
    """What could not be sent of a run, and why: a line per message."""
    files = [_unsent(folder, step) for step in (STARTED, FINISHED)]
    return [path.read_text(encoding="utf-8").strip() for path in files if path.exists()]


def send(places: Sequence[str], title: str, body: str) -> None:
    """Send through apprise; raises RuntimeError without naming a URL, with the reason of each that was not told."""
    try:
        import apprise
    except ImportError:
        raise RuntimeError("notify wants apprise: pip install 'launchers[notify]'") from None
    failed = []
    for place in places:
        service = apprise.Apprise()
        with _heard() as said:
            good = service.add(_url(place, os.environ)) and service.notify(title=title, body=body)
        if not good:
            failed.append(f"{place} ({_why(said) if len(service) else 'it is no URL that apprise knows'})")
    if failed:
        raise RuntimeError(f"nobody was told through {', '.join(failed)}")
    print(f"launchers: sent {title!r}", file=sys.stderr)


@contextmanager
def _heard() -> Iterator[list[str]]:
    """What apprise logs, which goes nowhere else: it names URLs."""
    said: list[str] = []
    keeper = logging.Handler()
    keeper.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    log = logging.getLogger("apprise")
    before = log.propagate
    log.propagate = False
    log.addHandler(keeper)
    try:
        yield said
    finally:
        log.removeHandler(keeper)
        log.propagate = before


def _why(said: Sequence[str]) -> str:
    """Why a message was not sent, without a word that may be secret."""
    text = "\n".join(said)
    status = re.search(r"error[=:] ?(\d{3})\b", text)
    if status:
        return f"it answered with status {status[1]}"
    return "it cannot be reached" if re.search(r"connection error|socket", text, re.I) else "it was not taken"


def _url(place: str, environ: Mapping[str, str]) -> str:
    if place.startswith("file:"):
        return Path(place.removeprefix("file:")).read_text(encoding="utf-8").strip()
    name = place.removeprefix("$")
    if name not in environ:
        raise RuntimeError(f"{place} is not in the environment of this job: keep the URL in a file (file:PATH)")
    return environ[name]


def hidden(argv: Sequence[str], urls: Sequence[str]) -> tuple[str, ...]:
    """A command line without the URLs that stand in it."""
    words = list(argv)
    for url in filter(None, urls):
        words = [word.replace(url, "...") for word in words]
    return tuple(words)
