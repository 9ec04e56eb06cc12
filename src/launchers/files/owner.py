"""Whose a file is: what another user owns, or could have written, is not taken as one's own word.

The rules are those of tools that run what a file holds: sshd's StrictModes (sshd_config(5)) for who may write, git's
safe.directory (git-config(1)) for whose it is.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

ACCESS_LIST = "system.posix_acl_access"
"""The attribute of a file that has an access list: the bits of its group then stand for all whom it names (acl(5))."""


def distrust(path: Path | int, *, root: bool = True) -> str:
    """Why a file or folder is not trusted, in words to be read after its path; "" where it is.

    Trusted is what belongs to the user of this process and only that user can write. A private group, whose one member
    is the user, may write too: it is what the umask 002 of some systems gives. What belongs to root is trusted where
    `root`: who is root can do anything as it is. A link counts as its target; `path` may be a descriptor. Raises
    OSError.
    """
    status = os.stat(path)  # noqa: PTH116 - a descriptor has no Path
    if status.st_uid != os.geteuid() and not (root and status.st_uid == 0):
        return f"belongs to {user_name(status.st_uid)}, not to {user_name(os.geteuid())}"
    if status.st_mode & stat.S_IWOTH:
        return "can be written by every user"
    if status.st_mode & stat.S_IWGRP and not _is_private(path, status):
        return f"can be written by the group {_group_name(status.st_gid)}"
    return ""


def owner_name(path: Path | int) -> str:
    """Whom a file or folder belongs to, for people. Raises OSError."""
    return user_name(os.stat(path).st_uid)  # noqa: PTH116 - a descriptor has no Path


def user_name(uid: int) -> str:
    """A user for people: name and number, or the number alone where nobody has it."""
    import pwd

    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except (KeyError, OSError):
        return f"uid {uid}"


def _group_name(gid: int) -> str:
    import grp

    try:
        return f"{grp.getgrgid(gid).gr_name} (gid {gid})"
    except (KeyError, OSError):
        return f"with gid {gid}"


def _is_private(path: Path | int, status: os.stat_result) -> bool:
    """Whether the owner of a file is alone in its group: it is the first group of the owner, and has the same name.

    To ask every user for the first group would take minutes where users come from a directory on the network.
    """
    import grp
    import pwd

    try:
        if ACCESS_LIST in os.listxattr(path):
            return False
    except OSError:
        pass  # a file system without attributes has no access lists
    try:
        owner, group = pwd.getpwuid(status.st_uid), grp.getgrgid(status.st_gid)
    except (KeyError, OSError):
        return False
    return owner.pw_gid == group.gr_gid and group.gr_name == owner.pw_name and set(group.gr_mem) <= {owner.pw_name}
