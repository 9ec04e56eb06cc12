"""One try: a folder, a shape, clients that act on its run, and the ledger in which its jobs say what they did."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from attrs import define, field, frozen
from killed import NEVER

from chaos_run.shapes import Shape, write_flow, write_plan, write_scan

ROOT = Path(__file__).resolve().parents[2]
BOUND = 150.0
"""Seconds within which a command has to end, on a machine that has much else to do."""
BUG = 70
"""The exit status of a bug (sysexits.h, EX_SOFTWARE)."""


@frozen
class Line:
    """A line of the ledger; `word` is start, or the exit status."""

    step: str
    item: str
    submission: str
    job: str
    pid: int
    parent: int
    uptime: float
    word: str


@frozen
class Ended:
    """A client that has ended: its exit status (None: it did not end in time and was killed) and its output."""

    words: tuple[str, ...]
    status: int | None
    output: str


@define
class Scene:
    """One try.

    `environment` is that of its clients, `python` runs them, and `prefix` stands before their commands.  What an attack has done to the
    run that its end has to be judged by is noted: `cancels` whether somebody cancelled, `kills` whether jobs were
    killed, `denies` whether results could not be written, `forgotten` whether the scheduler has lost jobs that had not
    ended, `requeued` the ids of jobs that the scheduler was told to run again.  `known` are the states before that.
    `form` is what is submitted: a plan, a flow or a scan.
    """

    kind: str
    number: int
    folder: Path
    rng: random.Random
    shape: Shape
    environment: dict[str, str]
    prefix: tuple[str, ...] = ()
    python: str = sys.executable
    clients: list[Ended] = field(factory=list)
    faults: list[tuple[str, str]] = field(factory=list)
    cancels: bool = False
    kills: bool = False
    denies: bool = False
    forgotten: bool = False
    requeued: set[str] = field(factory=set)
    known: dict[tuple[str, str], tuple[str, str]] = field(factory=dict)
    form: str = "plan"
    acted: list[str] = field(factory=list)
    started: float = field(factory=time.monotonic)

    @property
    def ledger(self) -> Path:
        """Where its jobs write; it is not in the run folder."""
        return self.folder / "ledger"

    @property
    def runs(self) -> Path:
        """Where its run folder goes."""
        return self.folder / "work" / "runs"

    @property
    def run(self) -> Path | None:
        """Its run folder, once plan.json is there."""
        found = list(self.runs.glob("*/plan.json")) if self.runs.is_dir() else []
        return found[0].parent if found else None

    def prepare(self, config: str) -> None:
        """Write what its clients read."""
        self.runs.mkdir(parents=True)
        self.ledger.touch()
        (self.folder / "tmp").mkdir()
        if self.form == "scan":
            write_scan(self.shape, self.ledger, self.folder / "scan", self.runs)
        else:
            write_plan(self.shape, self.ledger, self.folder / "plan.json")
            if self.rng.random() < 0.3 and write_flow(self.shape, self.ledger, self.folder / "flow.yaml"):
                self.form = "flow"
        (self.folder / "work" / "launchers.yaml").write_text(config)

    def note(self, text: str) -> None:
        """Remember what the attack did, for whoever looks at what came of it."""
        self.acted.append(f"{time.monotonic() - self.started:.1f} {text}")

    def fault(self, kind: str, text: str) -> None:
        """Something went wrong that must not."""
        self.faults.append((kind, text))

    # -- clients

    @property
    def submission(self) -> tuple[str, ...]:
        """The words of the client that submits."""
        return {
            "plan": ("submit", str(self.folder / "plan.json")),
            "flow": ("flow", "run", "--detach", str(self.folder / "flow.yaml")),
            "scan": ("scan", "run", str(self.folder / "scan" / "scan.yaml")),
        }[self.form]

    def start(self, *words: str, point: int = NEVER, environment: Mapping[str, str] = {}) -> Client:
        """Start a client."""
        self.note(f"{' '.join(words[:2])}{'' if point == NEVER else f' killed at {point}'}")
        return Client(self, words, point, environment)

    def call(self, *words: str, bound: float = BOUND, environment: Mapping[str, str] = {}) -> Ended:
        """Let a client do its work."""
        return self.start(*words, environment=environment).end(bound)

    def ask(self, verb: str, *words: str, bound: float = BOUND) -> Ended | None:
        """Let a client do something with the run; None while there is none."""
        run = self.run
        return None if run is None else self.call(verb, str(run), *words, bound=bound)

    # -- the truth

    def lines(self) -> list[Line]:
        """What its jobs have written."""
        cells = [line.split() for line in self.ledger.read_text().splitlines()]
        return [
            Line(step, item, submission, job, int(pid), int(parent), float(uptime), word)
            for step, item, submission, job, pid, parent, uptime, word in cells
        ]

    def alive(self) -> list[Line]:
        """Jobs that have started and not ended."""
        lines = self.lines()
        over = {line.pid for line in lines if line.word != "start"}
        return [line for line in lines if line.pid not in over and Path(f"/proc/{line.pid}").exists()]


class Client:
    """A process that acts for a user; what it prints goes to a file, so that it may be killed."""

    def __init__(self, scene: Scene, words: tuple[str, ...], point: int, environment: Mapping[str, str]) -> None:
        self.scene, self.words = scene, words
        number = len(list(scene.folder.glob("client.*")))
        self._output = scene.folder / f"client.{number}.{words[0]}.{threading.get_ident() % 1000}"
        argv = [*scene.prefix, scene.python, "-m", "chaos_run.client", str(point), *words]
        with self._output.open("wb") as out:
            self.process = subprocess.Popen(
                argv, cwd=scene.folder / "work", env={**scene.environment, **environment}, stdin=subprocess.DEVNULL,
                stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip

    def signal(self, number: signal.Signals) -> None:
        """Signal the client, not what it has started."""
        self.scene.note(f"{number.name} to {self.words[0]}")
        self.process.send_signal(number)

    def end(self, bound: float = BOUND) -> Ended:
        """Wait for its end."""
        try:
            status: int | None = self.process.wait(bound)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            status = None
        ended = Ended(self.words, status, self._output.read_text(errors="replace"))
        self.scene.clients.append(ended)
        return ended


def end_all(clients: Iterable[Client], bound: float = BOUND) -> list[Ended]:
    """Wait for the end of clients."""
    return [client.end(bound) for client in clients]


def environment_of(folder: Path) -> dict[str, str]:
    """What clients and their jobs import, and nothing of the caller's own state."""
    paths = [str(ROOT / "src"), str(ROOT / "tools"), str(ROOT / "tests" / "builders")]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LAUNCHERS_", "SLURM_", "XDG_"))}
    own = {"config": "XDG_CONFIG_HOME", "cache": "XDG_CACHE_HOME"}
    return {
        **kept,
        **{name: str(folder / place) for place, name in own.items()},
        "PYTHONPATH": ":".join(paths),
        "LAUNCHERS_LOCAL_STATE": str(folder / "state"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TMPDIR": str(folder / "tmp"),
    }
