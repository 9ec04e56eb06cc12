"""The one place where what went wrong becomes an exit status and a line on stderr.

What a user or the machine can be asked to mend has a type, and its message says what to do. Anything else is a bug of
launchers: the line says where to report it, and the traceback is in a file. LAUNCHERS_DEBUG=1 prints the traceback.
"""

from __future__ import annotations

import errno
import os
import re
import sys
import traceback
from pathlib import Path

from launchers.cli.exit_status import BAD_INPUT, BUG, FOUND, NO_MATCH, UNREACHABLE
from launchers.terminal import OutputError

DEBUG = "LAUNCHERS_DEBUG"
BAD_NAMES = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENAMETOOLONG,
             errno.EINVAL, errno.EEXIST, errno.ENOTEMPTY)  # fmt: skip
"""Errors of files that the user named wrongly, or may not use; others, such as a full disk, are the machine's."""

LONGEST = 300
"""Characters of a path that are shown."""
ISSUES = ("issues", "issue", "bugs", "tracker", "issuetracker", "bugtracker")
NO_ADDRESS = "whoever gave launchers to you"
"""Where to report a bug, as long as the project has no address."""


def status_of(error: Exception, command: str) -> int:
    """The exit status for an error, after its line has been printed; `command` is what ran, such as launchers find."""
    if isinstance(error, OutputError) and error.errno == errno.EPIPE:
        return FOUND  # whoever read it has seen enough, as head
    try:
        status, message = _line(error, command)
    except Exception:  # an installation that lacks a part lacks it here as well
        status, message = BUG, _of_bug(error, command)
    print(message, file=sys.stderr)
    if os.environ.get(DEBUG):
        traceback.print_exception(error)
    return status


def _line(error: Exception, command: str) -> tuple[int, str]:
    """The exit status and the line of an error."""
    if isinstance(error, OutputError):
        return NO_MATCH, f"launchers: cannot write the output: {error.strerror}"
    if isinstance(error, OSError):
        return _of_file(error, command)
    if isinstance(error, MemoryError):
        return NO_MATCH, f"{command}: there is not enough memory"
    if isinstance(error, UnicodeError):
        return BAD_INPUT, f"{command}: {_not_text(error)} is not UTF-8 text"
    return _of_ours(error, command) or (BUG, _of_bug(error, command))


def _of_file(error: OSError, command: str) -> tuple[int, str]:
    """An error of the operating system; one without a name may be that of the current folder."""
    if error.errno == errno.ENOENT and error.filename is None and not _is_here():
        return BAD_INPUT, f"{command}: the current folder does not exist any more: change to another one"
    where = "" if error.filename is None else f"{_short(os.fsdecode(error.filename))}: "
    status = BAD_INPUT if error.errno in BAD_NAMES else NO_MATCH
    return status, f"{command}: {where}{error.strerror or error}"


def _short(path: str) -> str:
    """A path that fits into a line: of a longer one the end says more."""
    return path if len(path) <= LONGEST else f"...{path[-LONGEST:]}"


def _is_here() -> bool:
    try:
        return bool(Path.cwd())
    except OSError:
        return False


def _not_text(error: UnicodeError) -> str:
    """What could not be decoded or encoded, for people."""
    if isinstance(error, UnicodeEncodeError | UnicodeDecodeError):
        return repr(error.object[max(0, error.start - 20) : error.end + 20])
    return str(error)


def _of_ours(error: Exception, command: str) -> tuple[int, str] | None:
    """An error of which launchers itself says what is wrong; None for any other error."""
    from launchers.commands import CommandError
    from launchers.errors import UNREACHABLE as OUT_OF_REACH
    from launchers.errors import LauncherNotFoundError, RunError
    from launchers.files.problems import ConfigError
    from launchers.requirement import RequirementSyntaxError

    if isinstance(error, LauncherNotFoundError):
        return (UNREACHABLE if error.kind == OUT_OF_REACH else NO_MATCH), f"launchers: {error}"
    if isinstance(error, RequirementSyntaxError):
        return BAD_INPUT, f"launchers: {error}"
    if isinstance(error, ConfigError):
        return BAD_INPUT, str(error)
    if isinstance(error, RunError):
        return BAD_INPUT, f"{command}: {error}"
    if isinstance(error, CommandError):
        return UNREACHABLE, f"{command}: {error}"
    return _of_plans(error, command)


def _of_plans(error: Exception, command: str) -> tuple[int, str] | None:
    """An error of plans, flows, scans and schedulers, whose rooms are large: they are imported last."""
    from launchers.jobs.backend import RefusedError, UnmetOptionError
    from launchers.plan.tree import PlacementError, PlanError, UnreachableError
    from launchers.runs.run import NoSuchStepError
    from launchers.runs.send import SubmitError
    from launchers.scan.errors import DefinitionError, ScanError

    if isinstance(error, NoSuchStepError):
        return BAD_INPUT, f"{command}: {error.args[0]}"
    if isinstance(error, SubmitError) and error.transient:
        return UNREACHABLE, f"{command}: {error}"
    statuses: tuple[tuple[type[Exception], int], ...] = (
        (UnreachableError, UNREACHABLE),
        (PlacementError, NO_MATCH),
        (PlanError, BAD_INPUT),
        (DefinitionError, BAD_INPUT),
        (UnmetOptionError, BAD_INPUT),
        (RefusedError, NO_MATCH),
        (SubmitError, NO_MATCH),
        (ScanError, NO_MATCH),
    )
    for kind, status in statuses:
        if isinstance(error, kind):
            return status, f"{command}: {error}"
    return None


# -- bugs --------------------------------------------------------------------------------------------------------


def _of_bug(error: Exception, command: str) -> str:
    """The line for an error that launchers should not have met."""
    last = traceback.format_exception_only(error)[-1].strip().replace("\n", " ")
    try:
        what = str(_write_traceback(error, command))
        more = ""
    except Exception:  # no disk, no memory: what there is must do
        what, more = "this line", f"; {DEBUG}=1 prints the traceback"
    return f"{command}: this is a bug of launchers: {_short(last)}; please send {what} to {_where_to_report()}{more}"


def _write_traceback(error: Exception, command: str) -> Path:
    """Write the traceback into a new folder that no other user can look into, and nothing of the environment.

    Arguments of the command are left out, as they may be secret. Raises OSError.
    """
    import platform
    from tempfile import mkdtemp

    from launchers import __version__

    path = Path(mkdtemp(prefix="launchers-bug-")) / "traceback.txt"
    head = f"{command}\nlaunchers {__version__}, Python {platform.python_version()}, {platform.platform()}\n\n"
    text = head + "".join(traceback.format_exception(error))
    path.write_text(text, encoding="utf-8", errors="backslashreplace")
    return path


def _where_to_report() -> str:
    """An address of the project's metadata, that of its issues first; a name alone cannot be written to.

    Labels of addresses are compared as in the specification of well-known project URLs (packaging.python.org).
    """
    from importlib.metadata import PackageNotFoundError, metadata

    try:
        about = metadata("launchers")
    except PackageNotFoundError:
        return NO_ADDRESS
    named = [line.partition(",") for line in about.get_all("Project-URL") or []]
    labels = [re.sub(r"[\W_]", "", label).lower() for label, _, _ in named]
    addresses = [address.strip() for _, _, address in named]
    issues = [address for label, address in zip(labels, addresses, strict=True) if label in ISSUES]
    authors = [line for line in about.get_all("Author-email") or [] if "@" in line]
    return next(iter([*issues, *authors, *addresses]), NO_ADDRESS)
