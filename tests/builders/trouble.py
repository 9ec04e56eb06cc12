"""Troubles in which a command may be started: each makes the words of a shell that starts it there."""

import os
import shutil
from pathlib import Path

NOBODYS = 54321
"""A user that no machine has."""
AS_NOBODY = ("setpriv", f"--reuid={NOBODYS}", f"--regid={NOBODYS}", "--clear-groups",
             "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")  # fmt: skip
"""Become that user, who still may read all: this Python may be in the home of root."""
UNSET = "unset HOME XDG_CONFIG_HOME XDG_CACHE_HOME XDG_STATE_HOME XDG_RUNTIME_DIR LAUNCHERS_LOCAL_STATE"

PLAIN = {
    "stdin is closed": 'exec "$@" <&-',
    "stdout is closed": 'exec "$@" >&-',
    "stderr is closed": 'exec "$@" 2>&-',
    "all streams are closed": 'exec "$@" <&- >&- 2>&-',
    "stdout is full": 'exec "$@" >/dev/full',
    "stderr is full": 'exec "$@" 2>/dev/full',
    "nobody reads stdout": '"$@" | true; exit "${PIPESTATUS[0]}"',
    "the folder is gone": 'mkdir gone && cd gone && rmdir ../gone && exec "$@"',
    "there is no home": f'{UNSET}; exec "$@"',
    "the home is no folder": f'{UNSET}; export HOME=/dev/null TMPDIR=/no/such/folder; exec "$@"',
    "folders of the desktop are relative": "unset LAUNCHERS_LOCAL_STATE; "
    'export XDG_CONFIG_HOME=a XDG_CACHE_HOME=b XDG_STATE_HOME=c XDG_RUNTIME_DIR=d; exec "$@"',
    "text is ASCII": 'export LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0 PYTHONIOENCODING=ascii; exec "$@"',
}
ROOTS = {
    "the user is unknown": f'{UNSET}; exec {" ".join(AS_NOBODY)} "$@"',
    "the run cannot be written": f'chown -R {NOBODYS} runs && chmod -R a-w runs && exec {" ".join(AS_NOBODY)} "$@"',
    "the disk is full": "cp -a runs kept && mount -t tmpfs -o size=1m full runs && cp -a kept/. runs/ && "
    '{ head -c 2m /dev/zero >runs/filling 2>/dev/null; true; } && "$@"',
}
"""Those that only root can make; the disk is mounted where no other process sees it."""
TROUBLES = {**PLAIN, **ROOTS}


def why_not(trouble: str) -> str:
    """Why a trouble cannot be made here; "" where it can."""
    if trouble not in ROOTS:
        return ""
    if os.geteuid() != 0:
        return f"LOUD: {trouble}: only root can try this"
    missing = [name for name in ("setpriv", "unshare", "mount") if shutil.which(name) is None]
    return f"LOUD: {trouble}: there is no {missing[0]}" if missing else ""


def in_trouble(trouble: str, argv: list[str]) -> list[str]:
    """A command as it is started in a trouble, in a folder that has the folder `runs`."""
    shell = ["bash", "-c", TROUBLES[trouble], "bash", *argv]
    return ["unshare", "--mount", "--propagation=private", *shell] if trouble == "the disk is full" else shell


def absolute(path: str) -> str:
    """A path that is found from any folder."""
    return str(Path(path).absolute())
