"""Whose a file is: what another user owns, or could have written, is not taken as one's own word.

The rules are those of tools that run what a file holds: sshd's StrictModes (sshd_config(5)) for who may write, git's
safe.directory (git-config(1)) for whose it is.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

from launchers.files.paths import real_path

ACCESS_LIST = "system.posix_acl_access"
"""The attribute of a file that has an access list: the bits of its group then stand for all whom it names (acl(5))."""


class ForeignFileError(PermissionError):
    """A file that another user owns, or can write; its words are those of `distrust`."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(errno.EPERM, reason, str(path))


def distrust(path: Path, *, root: bool = True) -> str:
    """Why a file or folder is not trusted, in words to be read after its path; "" where it is.

    Trusted is what belongs to the user of this process and only that user can write. What belongs to root is trusted
    where `root`: who is root can do anything as it is. A link counts as its target. Raises OSError.
    """
    return _distrust(path, path.stat(), root=root)


def open_file(path: Path, *, own: bool = True) -> BinaryIO:
    """Open a plain file to read it, and with `own` only one that is trusted.

    A pipe or a device is no file of ours: to open or read it could take for ever. Raises OSError, and with `own`
    ForeignFileError.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "Not a plain file", str(path))
        if own and (reason := _distrust(path, status, root=True)):
            raise ForeignFileError(path, reason)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def user_name(uid: int) -> str:
    """A user for people: name and number, or the number alone where no user has it."""
    import pwd

    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except (KeyError, OSError):
        return f"uid {uid}"


def _distrust(path: Path, status: os.stat_result, *, root: bool) -> str:
    if status.st_uid != os.geteuid() and not (root and status.st_uid == 0):
        return f"belongs to {user_name(status.st_uid)}, not to {user_name(os.geteuid())}"
    if not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) or _is_out_of_reach(path):
        return ""
    if status.st_mode & stat.S_IWOTH:
        return "can be written by every user"
    return "" if _is_private(path, status) else f"can be written by {_group_name(status.st_gid)}"


def _is_out_of_reach(path: Path) -> bool:
    """Whether the folder of a file lets its owner in and no other user."""
    status = real_path(path).parent.stat()
    others = stat.S_IXGRP | stat.S_IXOTH
    return status.st_uid == os.geteuid() and not status.st_mode & others


def _group_name(gid: int) -> str:
    import grp

    try:
        return f"the group {grp.getgrgid(gid).gr_name} (gid {gid})"
    except (KeyError, OSError):
        return f"the group with gid {gid}"


def _is_private(path: Path, status: os.stat_result) -> bool:
    """Whether the owner of a file is alone in its group, as the umask 002 of some systems supposes.

    It is the owner's first group, has the same name and no other member. To ask every user for the first group would
    take minutes where users come from a directory on the network.
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
