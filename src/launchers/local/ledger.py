"""Who holds what of this machine: cores, memory, devices and tokens, across all processes of this user.

One JSON file under a lock, in a folder that only this user can enter.  A claim belongs to a process, by pid and start
time, and ends with it, however it ends.
"""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

from launchers.local.jobs import Capacity, LocalJob
from launchers.offer.assign import assign
from launchers.offer.model import Device
from launchers.processes import alive
from launchers.requirement import Accelerator


class LedgerError(RuntimeError):
    """The ledger's folder cannot be trusted or used; says why and what to do."""


def folder() -> Path:
    """Where the ledger is: $LAUNCHERS_LOCAL_STATE, else the user's runtime folder, else one in /tmp.

    Raises LedgerError when somebody else could have put it there.
    """
    named = os.environ.get("LAUNCHERS_LOCAL_STATE")
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if named:
        path = Path(named)
    elif runtime and Path(runtime).is_dir():
        path = Path(runtime) / "launchers"
    else:
        path = Path(tempfile.gettempdir()) / f"launchers-{os.getuid()}"
    path.mkdir(mode=0o700, parents=bool(named), exist_ok=True)
    found = path.lstat()
    if path.is_symlink() or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise LedgerError(f"{path} is not a folder of yours alone: remove it, or set LAUNCHERS_LOCAL_STATE to another")
    return path


@frozen
class Scarce:
    """What a job has to wait for: the name of the resource, and words for people."""

    what: str
    says: str


@define
class Ledger:
    """The claims, while they are locked."""

    claims: list[dict[str, Any]]
    changed: bool = field(default=False, init=False)

    def grant(self, job: LocalJob, capacity: Capacity) -> tuple[str, ...] | Scarce:
        """The handles of the devices that the job can have now, or what it waits for."""
        held = [claim for claim in self.claims if alive(claim["pid"], claim["born"])]
        if len(held) != len(self.claims):
            self.claims, self.changed = held, True
        cores = sum(claim["cores"] for claim in held)
        if capacity.cores is not None and cores + job.cores > capacity.cores:
            return Scarce("cores", f"cores: {cores} of {capacity.cores} are taken")
        memory = sum(claim["memory"] for claim in held)
        if capacity.memory is not None and memory + job.memory > capacity.memory:
            return Scarce("memory", f"memory: {memory >> 20} of {capacity.memory >> 20} MiB are taken")
        limits = dict(capacity.tokens)
        for name, number in job.tokens:
            taken = sum(claim["tokens"].get(name, 0) for claim in held)
            if name in limits and taken + number > limits[name]:
                return Scarce(f"token {name}", f"token {name}: {taken} of {limits[name]} are taken")
        return self._devices(job, capacity, {handle for claim in held for handle in claim["devices"]})

    def _devices(self, job: LocalJob, capacity: Capacity, taken: set[str]) -> tuple[str, ...] | Scarce:
        if not job.wanted:
            return ()
        free = [one for one in capacity.devices if one[1] not in taken]
        wants = [(Accelerator(one.kind, one.memory, one.model), 1) for one in job.wanted]
        flow = assign(wants, [Device(kind, 1, memory, model) for kind, _, model, memory in free])
        if flow is None:
            return Scarce("accelerators", f"accelerators: {len(free)} of {len(capacity.devices)} are free")
        return tuple(free[column][1] for row in flow for column, number in enumerate(row) if number)

    def claim(self, job: LocalJob, handles: tuple[str, ...], pid: int, when: int | None) -> None:
        """Write down that a process holds what its job asked for."""
        entry = {"pid": pid, "born": when, "cores": job.cores, "memory": job.memory}
        self.claims.append({**entry, "devices": list(handles), "tokens": dict(job.tokens)})
        self.changed = True

    def release(self, pid: int) -> None:
        """Give back what a process held."""
        self.claims = [claim for claim in self.claims if claim["pid"] != pid]
        self.changed = True


@contextmanager
def locked(path: Path | None = None) -> Iterator[Ledger]:
    """The ledger, for this process alone until the block ends; written back if it changed."""
    path = path or folder()
    with (path / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        book = path / "claims.json"
        try:
            claims = json.loads(book.read_text(encoding="utf-8"))
        except FileNotFoundError:
            claims = []
        except ValueError:
            claims = []  # a machine that went down while it was written: no process of then is alive
        ledger = Ledger(claims)
        yield ledger
        if ledger.changed:
            fresh = path / ".claims.new"
            fresh.write_text(json.dumps(ledger.claims), encoding="utf-8")
            fresh.rename(book)
