"""Telling people: small jobs at the start and the end of a flow that send through apprise; no client needs to stay.

A URL is a secret.  A job knows only where it is: the name of a variable of its environment, or a file.
"""

from __future__ import annotations

import logging
import os
import stat
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import frozen

from launchers.plan.model import Dag, Plan, PlanError, Step
from launchers.requirement import parse

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
    """Sends how a run stands; raises RuntimeError when nobody could be told."""

    when: str
    places: tuple[str, ...]
    wanted: tuple[str, ...] = ()

    def __call__(self) -> None:
        """Send it."""
        from launchers.plan.run import open_run

        run = open_run(os.environ["LAUNCHERS_RUN_DIR"])
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


def send(places: Sequence[str], title: str, body: str) -> None:
    """Send through apprise; raises RuntimeError without naming a URL."""
    try:
        import apprise
    except ImportError:
        raise RuntimeError("notify wants apprise: pip install 'launchers[notify]'") from None
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)  # it names URLs
    failed = []
    for place in places:
        service = apprise.Apprise()
        if not service.add(_url(place, os.environ)) or not service.notify(title=title, body=body):
            failed.append(place)
    if failed:
        raise RuntimeError(f"nobody was told through {', '.join(failed)}")
    print(f"launchers: sent {title!r}", file=sys.stderr)


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
