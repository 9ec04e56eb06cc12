"""Who holds what of this machine: cores, memory, devices and tokens, across all processes of this user.

A claim is a file in a folder that only this user can enter.  Whoever made it has it locked (flock(2)), and hands the
open file down to the process that uses what is claimed.  The kernel gives a lock back when the last process has closed
the file, however that ends.  So a claim is made before its process is started and ends with it, and no pid has to be
believed.  A file that nobody has locked is no claim, whatever stands in it.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

from attrs import asdict, define, field, frozen
from attrs.validators import deep_iterable, deep_mapping, instance_of

from launchers.errors import RunError
from launchers.local.jobs import Capacity, LocalJob, assign_devices

SHORTAGE_POLL = 0.2
"""Seconds between two looks at what other processes hold, while a job waits for it."""
ROOTS = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 - the folder is made private, or not used
"""Where the ledger's folder may be, whatever TMPDIR and XDG_RUNTIME_DIR say: each session has others."""
PATIENCE = 10.0
"""Seconds for which a process may have the ledger to itself: it takes milliseconds, unless it was stopped."""
LARGEST = 1 << 20
"""Bytes of a file that are read: a claim is shorter."""

_SAFELY = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
"""How files of the ledger are opened: a pipe that somebody has put there keeps nobody waiting."""


class LedgerError(RunError):
    """The ledger cannot be used; the message has why and what to do."""


# -- its folder ------------------------------------------------------------------------------------------------


def ledger_folders() -> list[Path]:
    """The folders that the ledger has: one, unless other users interfere; claims are made in the first.

    That is $LAUNCHERS_LOCAL_STATE, or the first place of `_places` that is private to this user or can be made so.  If
    another user takes a place and leaves it, there can be two: all are looked at, so that everybody sees all claims.
    Raises LedgerError where there is none.
    """
    if named := os.environ.get("LAUNCHERS_LOCAL_STATE"):
        return [_named_folder(Path(named))]
    places = _places()
    if folders := [path for path in places if _is_private(path)]:
        return folders
    for path in places:
        with suppress(OSError):
            path.mkdir(mode=0o700, parents=path.parent not in ROOTS)
            break
    if folders := [path for path in places if _is_private(path)]:
        return folders
    raise LedgerError(
        f"none of {', '.join(map(str, places))} can be made, or is a folder of yours that others cannot enter "
        "(mode 0700): set LAUNCHERS_LOCAL_STATE to one"
    )


def _places() -> list[Path]:
    """Where the ledger may be: the same for all processes of this user on this machine."""
    import pwd

    user = os.geteuid()
    places = [root / f"launchers-{user}" for root in ROOTS]
    with suppress(KeyError, OSError):
        places.append(Path(pwd.getpwuid(user).pw_dir) / ".local" / "state" / f"launchers-{socket.gethostname()}")
    return places


def _named_folder(path: Path) -> Path:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise LedgerError(
            f"{path} cannot be made: {error.strerror}: set LAUNCHERS_LOCAL_STATE to another folder"
        ) from None
    if not _is_private(path):
        raise LedgerError(
            f"{path} has to be a folder of yours that others cannot enter (mode 0700): "
            "remove it, or set LAUNCHERS_LOCAL_STATE to another folder"
        )
    return path


def _is_private(path: Path) -> bool:
    """Whether this is a folder, and no link to one, that is this user's alone."""
    try:
        status = path.lstat()
    except OSError:
        return False
    is_folder = status.st_mode & 0o170000 == 0o040000
    return is_folder and status.st_uid == os.geteuid() and not status.st_mode & 0o077


# -- claims ----------------------------------------------------------------------------------------------------


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
    """What is held, and for what: CPU cores, memory in bytes, the handles of devices, how many of each token.

    `holder` is the folder of a job's try, or names a command in the foreground.
    """

    holder: str = field(validator=instance_of(str))
    cores: int = field(validator=instance_of(int))
    memory: int = field(validator=instance_of(int))
    devices: list[str] = field(validator=deep_iterable(instance_of(str), instance_of(list)))
    tokens: dict[str, int] = field(validator=deep_mapping(instance_of(str), instance_of(int), instance_of(dict)))


@frozen
class Held:
    """A claim of this process: the open file that whoever uses what is claimed has to inherit."""

    path: Path
    file: BinaryIO

    def is_missing(self) -> bool:
        """Whether the claim is not in the ledger any more, as somebody has removed its file."""
        try:
            return self.file.closed or not os.path.samestat(self.path.stat(), os.fstat(self.file.fileno()))
        except OSError:
            return True

    def release(self) -> None:
        """Give back what was held, even if a process that was left behind still has the file open."""
        if not self.is_missing():
            with suppress(OSError):
                self.path.unlink()
        self.file.close()


@define
class Ledger:
    """The claims that are held, while nobody else can make one; new ones are made in `folder`."""

    folder: Path
    claims: list[Claim]

    def grant(self, job: LocalJob, capacity: Capacity) -> tuple[str, ...] | Shortage:
        """The handles of the devices that the job can have now, or what it waits for."""
        return self._shortage(job, capacity) or self._token_shortage(job, capacity) or self._devices(job, capacity)

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
        taken = {handle for claim in self.claims for handle in claim.devices}
        free = [device for device in capacity.devices if device[1] not in taken]
        handles = assign_devices(job.wanted, free)
        if handles is None:
            return Shortage("accelerators", f"accelerators: {len(free)} of {len(capacity.devices)} are free")
        return handles

    def is_claimed_for(self, holder: str) -> bool:
        """Whether something is held for a holder."""
        return any(claim.holder == holder for claim in self.claims)

    def claim(self, job: LocalJob, handles: tuple[str, ...], holder: str) -> Held:
        """Hold what a job asked for, and these devices, before its process is started.  Raises LedgerError."""
        claim = Claim(holder, job.cores, job.memory, list(handles), dict(job.tokens))
        path = self.folder / f"claim-{blake2b(os.fsencode(holder), digest_size=12).hexdigest()}"
        try:
            file = _write_claim(path, json.dumps(asdict(claim)).encode())
        except OSError as error:
            raise LedgerError(f"{path} cannot be written: {error.strerror}") from None
        self.claims.append(claim)
        return Held(path, file)


def _write_claim(path: Path, text: bytes) -> BinaryIO:
    """A new file that is locked and has this text.  Raises OSError; then there is no file."""
    file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _SAFELY, 0o600), "r+b", buffering=0)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if file.write(text) != len(text):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    except BaseException:
        file.close()
        path.unlink()
        raise
    return file


# -- the file --------------------------------------------------------------------------------------------------


@contextmanager
def locked(folder: Path | None = None) -> Iterator[Ledger]:
    """The ledger, for this process alone until the block ends.  Raises LedgerError where that cannot be."""
    folders = [folder] if folder else ledger_folders()
    with ExitStack() as stack:
        for each in folders:
            stack.enter_context(_lock(each / "lock"))
        yield Ledger(folders[0], [claim for each in folders for claim in _read_claims(each)])


def _lock(path: Path) -> BinaryIO:
    """The file, locked by this process until it is closed."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | _SAFELY, 0o600), "r+b", buffering=0)
        except OSError as error:
            raise LedgerError(f"{path} cannot be used as a lock: {error.strerror}") from None
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with suppress(FileNotFoundError):  # removed, with its folder, before it was locked
                if os.path.samestat(path.stat(), os.fstat(file.fileno())):
                    return file
        file.close()
        if time.monotonic() > deadline:
            raise LedgerError(f"another process of yours has had {path} locked for {PATIENCE:.0f} s: was it stopped?")
        time.sleep(0.002)


def _read_claims(folder: Path) -> list[Claim]:
    """What is held; the files of claims that nobody holds any more are removed."""
    with suppress(FileNotFoundError):
        return [claim for path in folder.glob("claim-*") if (claim := _read_claim(path))]
    return []


def _read_claim(path: Path) -> Claim | None:
    """A claim that is held.  None for one that is not, and for what launchers has not written."""
    try:
        file = os.fdopen(os.open(path, os.O_RDWR | _SAFELY), "r+b", buffering=0)
    except OSError:
        return None
    with file, suppress(OSError):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return _parse_claim(file.read(LARGEST))
        path.unlink()
    return None


def _parse_claim(text: bytes | None) -> Claim | None:
    try:
        return Claim(**json.loads(text or b""))
    except (ValueError, TypeError, RecursionError):
        return None
