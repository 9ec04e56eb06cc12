"""Messages about a flow: small jobs at its start and end send them through apprise, so that no client has to stay.

A URL is a secret.  A job knows only where its URL is: in a variable of its environment or in a file.
"""

from __future__ import annotations

import logging
import os
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from attrs import frozen

from launchers.files.atomic import write_atomically
from launchers.files.paths import expand_user
from launchers.plan.plan import Plan
from launchers.plan.tree import Dag, PlanError, Step
from launchers.requirement import parse
from launchers.variables import RUN_DIR, STEP

STARTED, FINISHED = "notify.started", "notify.finished"
"""The names of the jobs that send."""
NEED = parse("cpu(cores=1) & duration=5m")
URL_VARIABLE = "LAUNCHERS_NOTIFY_URL_"
"""Variables of this name and a number have the URLs that were given themselves."""
Event = Literal["started", "finished", "failed"]
EVENTS: tuple[Event, ...] = ("started", "finished", "failed")


# -- before the flow is submitted ------------------------------------------------------------------------------


def locate_urls(urls: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Where jobs find each URL (``$NAME`` or ``file:PATH``), and the variables that have to be set for that.

    Raises PlanError for a variable that is not set, and for a file that is not there or that others can read.
    """
    places, variables, problems = [], {}, []
    for number, url in enumerate(urls):
        if url.startswith("$"):
            if url[1:] not in os.environ:
                problems.append(f"notify: {url} is not set in the environment")
            places.append(url)
        elif url.startswith("file:"):
            path = expand_user(url.removeprefix("file:")).absolute()
            problems += _file_problems(path)
            places.append(f"file:{path}")
        else:
            variables[f"{URL_VARIABLE}{number}"] = url
            places.append(f"${URL_VARIABLE}{number}")
    if problems:
        raise PlanError(problems)
    return places, variables


def _file_problems(path: Path) -> list[str]:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return [f"notify: {path}: {error.strerror}"]
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        return [f"notify: other users can read {path} (mode {stat.S_IMODE(mode):o}): chmod 600 {path}"]
    return []


def redact_urls(argv: Sequence[str], urls: Sequence[str]) -> tuple[str, ...]:
    """A command line with "..." in place of each URL."""
    words = list(argv)
    for url in filter(None, urls):
        words = [word.replace(url, "...") for word in words]
    return tuple(words)


def add_messages(plan: Plan, places: Sequence[str], events: Sequence[Event]) -> Plan:
    """The plan with the jobs that send a message about each of these events."""
    dag = plan.root
    assert isinstance(dag, Dag)
    steps = [step for step in dag.nodes if isinstance(step, Step)]
    after = {name: dict(waits) for name, waits in dag.after.items()}
    senders = []
    if "started" in events:
        first = next(step.name for step in steps if not after.get(step.name))
        senders.append(Step(STARTED, NEED, Message(("started",), tuple(places))))
        after[STARTED] = {first: "started"}
    ends = tuple(event for event in EVENTS if event != "started" and event in events)
    if ends:
        senders.append(Step(FINISHED, NEED, Message(ends, tuple(places))))
        after[FINISHED] = {step.name: "any" for step in steps}
    for step in senders:
        step.srun = False
    return Plan(plan.name, Dag(*steps, *senders, after=after), need=plan.need)


# -- on the node -----------------------------------------------------------------------------------------------


@frozen
class Message:
    """Sends a message about a run if what has happened is among `events`.

    A message that cannot be sent makes no job fail: the log of this job and `unsent_messages` say why.
    """

    events: tuple[Event, ...]
    places: tuple[str, ...]

    def __call__(self) -> None:
        """Send the message."""
        run_folder, step = Path(os.environ[RUN_DIR]), os.environ[STEP]
        try:
            self._send(run_folder)
        except (RuntimeError, OSError, ValueError) as error:
            print(f"launchers: {step}: {error}", file=sys.stderr)
            write_atomically(_unsent(run_folder, step), f"{step}: {error}\n")

    def _send(self, folder: Path) -> None:
        from launchers.runs.run import open_run

        run = open_run(folder)
        title = f"{run.record.plan} {run.record.id}"
        steps = [step for step in run.status() if step.name not in (STARTED, FINISHED)]
        if "started" in self.events:
            send(self.places, f"{title} started", f"{len(steps)} steps on {run.record.group}\n{run.folder}")
            return
        bad = [step for step in steps if not step.succeeded]
        event: Event = "failed" if bad else "finished"
        if event not in self.events:
            return
        lines = [f"{step.name}: {step.state} {step.reason}".rstrip() for step in bad]
        not_needed = ", ".join(step.name for step in steps if step.left_out)
        if not lines:
            lines = [f"completed; not needed: {not_needed}" if not_needed else f"all {len(steps)} steps completed"]
        send(self.places, f"{title} {event}", "\n".join([*lines, str(run.folder)]))


def _unsent(folder: Path, step: str) -> Path:
    return folder / "steps" / step / "unsent"


def unsent_messages(folder: Path) -> list[str]:
    """A line for each message of a run that could not be sent, with the reason."""
    files = [_unsent(folder, step) for step in (STARTED, FINISHED)]
    return [path.read_text(encoding="utf-8").strip() for path in files if path.exists()]


def send(places: Sequence[str], title: str, body: str) -> None:
    """Send a message through apprise.  Raises RuntimeError that names the places that failed, and no URL.

    apprise says only whether it succeeded; what it logs besides has URLs and no codes, and goes nowhere.
    """
    try:
        import apprise
    except ImportError:
        raise RuntimeError("messages need apprise: pip install 'launchers[notify]'") from None
    failures = []
    for place in places:
        service = apprise.Apprise()
        with _silent_apprise():
            if not service.add(_read_url(place, os.environ)):
                failures.append(f"{place} (apprise does not know this kind of URL)")
            elif not service.notify(title=title, body=body):
                failures.append(f"{place} (the service cannot be reached, or refuses the message)")
    if failures:
        raise RuntimeError(f"cannot send a message through {', '.join(failures)}")
    print(f"launchers: sent {title!r}", file=sys.stderr)


@contextmanager
def _silent_apprise() -> Iterator[None]:
    log = logging.getLogger("apprise")
    before = log.disabled
    log.disabled = True
    try:
        yield
    finally:
        log.disabled = before


def _read_url(place: str, environ: Mapping[str, str]) -> str:
    if place.startswith("file:"):
        return Path(place.removeprefix("file:")).read_text(encoding="utf-8").strip()
    name = place.removeprefix("$")
    if name not in environ:
        raise RuntimeError(f"{place} is not in the environment of this job: keep the URL in a file (file:PATH)")
    return environ[name]
