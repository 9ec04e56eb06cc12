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

from attrs import asdict, define, field, frozen
from attrs.validators import deep_iterable, deep_mapping, instance_of, optional

from launchers.local.jobs import Capacity, LocalJob
from launchers.offer.assign import assign
from launchers.offer.model import Device
from launchers.processes import alive
from launchers.requirement import Accelerator

SHORTAGE_POLL = 0.2
"""Seconds between two looks at what other processes hold, while a job waits for it."""


class LedgerError(RuntimeError):
    """The ledger's folder cannot be trusted; the message has why and what to do."""


def ledger_folder() -> Path:
    """Where the ledger is: $LAUNCHERS_LOCAL_STATE, else the user's runtime folder, else one in /tmp.

    Raises LedgerError when others could write there.
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
    status = path.lstat()
    if path.is_symlink() or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise LedgerError(
            f"{path} has to be a folder of yours that others cannot enter (mode 0700): "
            "remove it, or set LAUNCHERS_LOCAL_STATE to another folder"
        )
    return path


@frozen
class Shortage:
    """What a job has to wait for: the name of the resource, and how much of it is in use, for people."""

    resource: str
    message: str


def resources_of(job: LocalJob) -> set[str]:
    """The names of what a job takes, as `Shortage.resource` has them."""
    names = {"cores", *(f"token {name}" for name, _ in job.tokens)}
    return names | ({"memory"} if job.memory else set()) | ({"accelerators"} if job.wanted else set())


@frozen
class Claim:
    """What a process holds: CPU cores, memory in bytes, the handles of devices, and how many of each token."""

    pid: int = field(validator=instance_of(int))
    born: int | None = field(validator=optional(instance_of(int)))
    cores: int = field(validator=instance_of(int))
    memory: int = field(validator=instance_of(int))
    devices: list[str] = field(validator=deep_iterable(instance_of(str), instance_of(list)))
    tokens: dict[str, int] = field(validator=deep_mapping(instance_of(str), instance_of(int), instance_of(dict)))


@define
class Ledger:
    """The claims, while they are locked."""

    claims: list[Claim]
    changed: bool = field(default=False, init=False)

    def grant(self, job: LocalJob, capacity: Capacity) -> tuple[str, ...] | Shortage:
        """The handles of the devices that the job can have now, or what it waits for."""
        self._drop_claims_of_the_dead()
        return self._shortage(job, capacity) or self._token_shortage(job, capacity) or self._devices(job, capacity)

    def _drop_claims_of_the_dead(self) -> None:
        held = [claim for claim in self.claims if alive(claim.pid, claim.born)]
        if len(held) != len(self.claims):
            self.claims, self.changed = held, True

    def _shortage(self, job: LocalJob, capacity: Capacity) -> Shortage | None:
        cores = sum(claim.cores for claim in self.claims)
        if capacity.cores is not None and cores + job.cores > capacity.cores:
            return Shortage("cores", f"cores: {cores} of {capacity.cores} are in use")
        memory = sum(claim.memory for claim in self.claims)
        if capacity.memory is not None and memory + job.memory > capacity.memory:
            return Shortage("memory", f"memory: {memory >> 20} of {capacity.memory >> 20} MiB are in use")
        return None

    def _token_shortage(self, job: LocalJob, capacity: Capacity) -> Shortage | None:
        limits = dict(capacity.tokens)
        for name, number in job.tokens:
            taken = sum(claim.tokens.get(name, 0) for claim in self.claims)
            if name in limits and taken + number > limits[name]:
                return Shortage(f"token {name}", f"token {name}: {taken} of {limits[name]} are in use")
        return None

    def _devices(self, job: LocalJob, capacity: Capacity) -> tuple[str, ...] | Shortage:
        if not job.wanted:
            return ()
        taken = {handle for claim in self.claims for handle in claim.devices}
        free = [device for device in capacity.devices if device[1] not in taken]
        wants = [(Accelerator(wanted.kind, wanted.memory, wanted.model), 1) for wanted in job.wanted]
        flow = assign(wants, [Device(kind, 1, memory, model) for kind, _, model, memory in free])
        if flow is None:
            return Shortage("accelerators", f"accelerators: {len(free)} of {len(capacity.devices)} are free")
        return tuple(free[column][1] for row in flow for column, number in enumerate(row) if number)

    def claim(self, job: LocalJob, handles: tuple[str, ...], pid: int, born: int | None) -> None:
        """Write down that a process holds what its job asked for."""
        self.claims.append(Claim(pid, born, job.cores, job.memory, list(handles), dict(job.tokens)))
        self.changed = True

    def release(self, pid: int) -> None:
        """Give back what a process held."""
        self.claims = [claim for claim in self.claims if claim.pid != pid]
        self.changed = True


@contextmanager
def locked(path: Path | None = None) -> Iterator[Ledger]:
    """The ledger, for this process alone until the block ends; written back if it changed.

    Raises LedgerError when others could write where it is.
    """
    path = path or ledger_folder()
    with (path / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ledger = Ledger(_read_claims(path / "claims.json"))
        yield ledger
        if ledger.changed:
            fresh = path / ".claims.new"
            fresh.write_text(json.dumps([asdict(claim) for claim in ledger.claims]), encoding="utf-8")
            fresh.rename(path / "claims.json")


def _read_claims(path: Path) -> list[Claim]:
    """The claims in a file.

    None where it cannot be read: the machine went down while it was written, and no process of then is alive.
    """
    try:
        return [Claim(**entry) for entry in json.loads(path.read_text(encoding="utf-8"))]
    except (FileNotFoundError, ValueError, TypeError):
        return []
