"""The run folder: the only state there is of a submitted plan.

plan.json        what was submitted, by whom and from which source; written last, so where it is all is there
journal.jsonl    what was done since, append-only, each line on disk before what it announces is done
lock             who is working on it: host, pid, since when
steps/<step>/    the function and its arguments, pickled
jobs/<unit>/     a submitit folder per submission: script, logs, results
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from attrs import define, frozen

from launchers.plan.lock import HeldError, Holder, hold
from launchers.plan.units import Member, Unit, unit_from_json

VERSION = 1
NO_HARD_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)


class RunError(RuntimeError):
    """A run folder that cannot be worked on: what is wrong and what to do."""


@frozen
class TaskEntry:
    """A step as plan.json has it."""

    name: str
    waits: tuple[tuple[str, str], ...]
    count: int
    says: str
    seconds: int | None
    runs: str
    need: str | None
    options: tuple[tuple[str, Any], ...] = ()
    again: tuple[int, str] | None = None
    identity: str = ""
    fail_fast: bool = False
    srun: bool = True
    rivals: tuple[str, ...] = ()


@define
class Store:
    """A run folder and what plan.json says."""

    folder: Path
    plan: str
    id: str
    scheduler: str
    group: str | None
    units: tuple[Unit, ...]
    tasks: tuple[TaskEntry, ...]
    created: float
    cwd: str = ""
    command: tuple[str, ...] = ()
    source: dict[str, Any] | None = None

    def task(self, name: str) -> TaskEntry:
        """A step as plan.json has it."""
        return next(one for one in self.tasks if one.name == name)

    def journal(self) -> list[dict[str, Any]]:
        """Everything that was done, in order; a last line that was cut off was not done."""
        try:
            text = (self.folder / "journal.jsonl").read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        events = []
        for line in text.splitlines():
            try:
                events.append(json.loads(line))
            except ValueError:
                continue  # the client was killed, or the disk was full, while it wrote this
        return events

    def record(self, event: str, **facts: Any) -> None:
        """Write down what is about to be done, or was; on disk when this returns.  Raises OSError."""
        line = json.dumps({"event": event, "time": time.time(), **facts}) + "\n"
        path = self.folder / "journal.jsonl"
        with path.open("ab") as out:
            size = out.seek(0, os.SEEK_END)
            if size and not path.read_bytes().endswith(b"\n"):
                line = "\n" + line  # after a line that was cut off
            out.write(line.encode())
            out.flush()
            os.fsync(out.fileno())

    def submitted(self) -> dict[str, str]:
        """Job ids by unit: the last attempt of each."""
        return {one["unit"]: one["job"] for one in self.journal() if one["event"] == "submitted"}

    def latest(self) -> dict[Member, tuple[Unit, int]]:
        """Where each job of each step is now: the submission of its last attempt, and its position in that."""
        found: dict[Member, tuple[Unit, int]] = {}
        for unit in self.units:  # later attempts come later
            if not unit.barrier:
                found.update({member: (unit, position) for position, member in enumerate(unit.members)})
        return found

    def local_folder(self, attempt: int) -> Path:
        """Where this machine's scheduler runs the jobs of one attempt."""
        return self.folder / "local" / str(attempt)

    def job_folder(self, unit: str) -> Path:
        """The submitit folder of a submission."""
        return self.folder / "jobs" / unit

    def step_folder(self, step: str) -> Path:
        """Where the function and the arguments of a step are."""
        return self.folder / "steps" / step

    @contextmanager
    def locked(self, *, break_lock: bool = False) -> Iterator[None]:
        """Work on the run alone.  Raises RunError that names who does.

        The lock of a process of this machine that is gone is taken over; of another machine's only with `break_lock`.
        """
        with ExitStack() as stack:
            try:
                stack.enter_context(hold(self.lock, break_lock=break_lock))
            except HeldError as error:
                raise RunError(_who_works(self.folder, error.holder)) from None
            except OSError as error:
                if error.errno not in NO_HARD_LINKS:
                    raise
                raise RunError(
                    f"{self.folder} cannot be locked: its file system has no hard links ({error.strerror}); "
                    "put run folders on another one"
                ) from None
            yield

    @property
    def lock(self) -> Path:
        """The lock's file."""
        return self.folder / "lock"


def _who_works(folder: Path, holder: Holder) -> str:
    """Who holds the lock of a run folder, and what to do."""
    if holder.here:
        return f"process {holder.pid} on this machine is working on {folder}: wait for it to end"
    if not holder.host:
        return f"{folder / 'lock'} does not say which process works on the run; if none does, say --break-lock"
    who = f"process {holder.pid} on {holder.host}"
    return f"{who} is working on {folder}; if it is gone, say --break-lock (break_lock=True)"


def create(root: Path, plan: str) -> tuple[Path, str]:
    """A new run folder, for this user alone, and its id."""
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{root} is where run folders go, and it cannot be a folder: {error.strerror}") from None
    while True:
        id = secrets.token_hex(4)
        folder = root.absolute() / f"{plan}-{id}"
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            continue
        (folder / "steps").mkdir(mode=0o700)
        (folder / "jobs").mkdir(mode=0o700)
        return folder, id


def write(store: Store) -> None:
    """Write plan.json whole: from here on the run can be resumed."""
    entry = {
        "version": VERSION,
        "plan": store.plan,
        "id": store.id,
        "scheduler": store.scheduler,
        "group": store.group,
        "created": store.created,
        "command": list(store.command or (sys.executable, *sys.argv)),
        "cwd": store.cwd or str(Path.cwd()),
        "source": store.source if store.source is not None else revision(),
        "tasks": [{name: getattr(task, name) for name in TaskEntry.__annotations__} for task in store.tasks],
        "units": [unit.as_json() for unit in store.units],
    }
    replace(store.folder / "plan.json", json.dumps(entry, indent=1, default=str))


def replace(path: Path, text: str) -> None:
    """Write a file whole or not at all, on disk when this returns."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with fresh.open("w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    fresh.rename(path)


def load(folder: Path) -> Store:
    """Read a run folder; raises RunError when it is none, or one whose submission never began."""
    path = folder / "plan.json"
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if (folder / "steps").is_dir():
            raise RunError(f"{folder}: its client ended before anything was submitted: submit the plan again") from None
        raise RunError(f"{folder} is not a run folder: it has no plan.json") from None
    except ValueError as error:
        raise RunError(f"{path} cannot be read: {error}") from None
    if entry.get("version") != VERSION:
        raise RunError(f"{path} has version {entry.get('version')}, this launchers reads {VERSION}")
    try:
        return _store(folder.absolute(), entry)
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{path} is not what this launchers wrote: {type(error).__name__}: {error}") from None


def _store(folder: Path, entry: Mapping[str, Any]) -> Store:
    return Store(
        folder=folder,
        plan=entry["plan"],
        id=entry["id"],
        scheduler=entry["scheduler"],
        group=entry["group"],
        units=tuple(unit_from_json(one) for one in entry["units"]),
        tasks=tuple(_task(one) for one in entry["tasks"]),
        created=entry["created"],
        cwd=entry["cwd"],
        command=tuple(entry["command"]),
        source=entry["source"],
    )


def _task(entry: Mapping[str, Any]) -> TaskEntry:
    pairs = {key: tuple((name, value) for name, value in entry[key]) for key in ("waits", "options")}
    return TaskEntry(
        **{
            **entry,
            **pairs,
            "again": tuple(entry["again"]) if entry["again"] else None,
            "rivals": tuple(entry["rivals"]),
        }
    )


def revision() -> dict[str, Any] | None:
    """The commit of the source in this folder and whether it was changed since; None where there is no git."""
    try:
        commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10, check=False)
        changed = subprocess.run(
            ["git", "status", "--porcelain"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if commit.returncode:
        return None
    return {"commit": commit.stdout.strip(), "changed": bool(changed.stdout.strip())}


# -- functions and arguments -----------------------------------------------------------------------------------


def write_call(folder: Path, call: Mapping[str, Any], items: Sequence[Any] | None) -> None:
    """Pickle a step's function and arguments, and the items of a Map one by one, so that a job reads only its own."""
    import cloudpickle

    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "call.pkl").open("wb") as out:
        cloudpickle.dump(dict(call), out)
    if items is None:
        return
    with (folder / "items.pkl").open("wb") as out, (folder / "items.idx").open("wb") as index:
        for item in items:
            index.write(struct.pack("<Q", out.tell()))
            cloudpickle.dump(item, out)


def read_call(folder: Path) -> dict[str, Any]:
    """The function and the arguments of a step."""
    import pickle

    with (folder / "call.pkl").open("rb") as file:
        return dict(pickle.load(file))  # noqa: S301 - written by this user, in a folder of mode 0700


def read_item(folder: Path, number: int) -> Any:
    """One item of a Map."""
    import pickle

    with (folder / "items.idx").open("rb") as index, (folder / "items.pkl").open("rb") as file:
        index.seek(number * 8)
        file.seek(struct.unpack("<Q", index.read(8))[0])
        return pickle.load(file)  # noqa: S301 - written by this user, in a folder of mode 0700


def results(folder: Path, unit: str, *, array: bool) -> dict[int | None, Path]:
    """The newest result file of each member of a submission by its position, None where it is not an array.

    The folder is looked at once: it may hold the files of thousands.
    """
    ending = "_0_result.pkl"
    files = sorted((folder / "jobs" / unit).glob(f"*{ending}"), key=lambda path: path.stat().st_mtime_ns)
    return {int(path.name.removesuffix(ending).rpartition("_")[2]) if array else None: path for path in files}
