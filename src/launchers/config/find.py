"""Which launchers.yaml is used, where it is looked for, and whose it may be."""

from __future__ import annotations

import logging
import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

from launchers.files.owner import distrust, user_name
from launchers.files.paths import expand_user
from launchers.files.problems import ConfigError, Problem
from launchers.terminal import printable

CONFIG_NAME = "launchers.yaml"
logger = logging.getLogger(__name__)


@frozen
class Located:
    """The file that is used (None: there is no file), and the places in the order of the search, with reasons.

    `is_named` is whether a person named the file.
    """

    used: Path | None
    looked_for: tuple[tuple[Path, str], ...]
    is_named: bool = False


def locate(explicit: str | Path | None, environ: Mapping[str, str], cwd: Path) -> Located:
    """The first file of: `--config`, `$LAUNCHERS_CONFIG`, `./launchers.yaml`, the user's and the site's launchers.yaml.

    A file that is named is used whether it exists or not: a wrong name is an error and not a surprise.
    """
    if explicit:
        path = expand_user(explicit)
        return Located(path, ((path, "--config"),), is_named=True)
    named = environ.get("LAUNCHERS_CONFIG")
    if named:
        path = expand_user(named)
        return Located(path, ((path, "$LAUNCHERS_CONFIG"),), is_named=True)
    home = environ.get("XDG_CONFIG_HOME") or str(expand_user(environ.get("HOME") or "~") / ".config")
    places = (
        (cwd / CONFIG_NAME, "this folder"),
        (Path(home) / "launchers" / CONFIG_NAME, "the user's"),
        (Path("/etc/launchers") / CONFIG_NAME, "the site's"),
    )
    used = next((path for path, _ in places if _is_there(path)), None)
    return Located(used, places)


def _is_there(path: Path) -> bool:
    """Whether there is something that can be seen; a folder of another user may hide it."""
    try:
        return path.exists()
    except OSError:
        return False


def check_owner(located: Located) -> None:
    """Raise ConfigError for a file of another user that nobody named; log a file that other users can write.

    git does the same with a repository that it finds above the current folder (git-config(1), safe.directory).
    """
    path = located.used
    if path is None or not _is_there(path):
        return
    owner = path.stat().st_uid
    if not located.is_named and owner not in (os.geteuid(), 0):
        message = f"this file belongs to {user_name(owner)}, not to {user_name(os.geteuid())}"
        hint = f"if you trust it, name it: --config {shlex.quote(str(path))}"
        raise ConfigError([Problem(str(path), 1, 1, "LC113", "", message, hint)])
    warn_of_others(path)


def warn_of_others(path: Path) -> None:
    """Log that other users decide what is in a file. Raises OSError."""
    reason = distrust(path)
    if reason:
        logger.warning("%s", printable(f"launchers: {path} {reason}: others decide what launchers believes"))
