"""Which launchers.yaml is used, and where it is looked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

CONFIG_NAME = "launchers.yaml"


@frozen
class Located:
    """The file that is used (None: there is no file), and the places in the order of the search, with reasons."""

    used: Path | None
    looked_for: tuple[tuple[Path, str], ...]


def locate(explicit: str | Path | None, environ: Mapping[str, str], cwd: Path) -> Located:
    """The first file of: `--config`, `$LAUNCHERS_CONFIG`, `./launchers.yaml`, the user's and the site's launchers.yaml.

    A file that is named is used whether it exists or not: a wrong name is an error and not a surprise.
    """
    if explicit:
        path = Path(explicit).expanduser()
        return Located(path, ((path, "--config"),))
    named = environ.get("LAUNCHERS_CONFIG")
    if named:
        path = Path(named).expanduser()
        return Located(path, ((path, "$LAUNCHERS_CONFIG"),))
    home = environ.get("XDG_CONFIG_HOME") or str(Path(environ.get("HOME") or "~").expanduser() / ".config")
    places = (
        (cwd / CONFIG_NAME, "this folder"),
        (Path(home) / "launchers" / CONFIG_NAME, "the user's"),
        (Path("/etc/launchers") / CONFIG_NAME, "the site's"),
    )
    used = next((path for path, _ in places if path.exists()), None)
    return Located(used, places)
