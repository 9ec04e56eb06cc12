"""Whose a file is, and who else could have written it."""

import grp
import os
import pwd

import pytest

from launchers.files import owner
from launchers.files.owner import ForeignFileError, distrust, open_file, user_name

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
OTHER, NOBODYS = 1, 54321


@pytest.fixture
def file(tmp_path):
    """A file in a folder that lets everybody in."""
    tmp_path.chmod(0o755)
    path = tmp_path / "file"
    path.write_text("text")
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755, 0o444])
def test_what_only_its_owner_can_write_is_trusted(file, mode):
    file.chmod(mode)
    assert distrust(file) == ""


def test_what_every_user_can_write_is_not(file):
    file.chmod(0o646)
    assert distrust(file) == "can be written by every user"


def test_what_a_group_of_others_can_write_is_not(file, monkeypatch):
    file.chmod(0o664)
    gid = os.stat(file).st_gid
    monkeypatch.setattr(grp, "getgrgid", lambda gid: grp.struct_group(("lab", "x", gid, ["somebody"])))
    assert distrust(file) == f"can be written by the group lab (gid {gid})"


def test_modes_do_not_count_where_no_other_user_gets(file):
    file.chmod(0o666)
    file.parent.chmod(0o700)
    assert distrust(file) == ""
    elsewhere = file.parent / "open"
    elsewhere.mkdir(mode=0o755)
    target = elsewhere / "target"
    target.touch()
    target.chmod(0o666)
    (file.parent / "link").symlink_to(target)
    assert distrust(file.parent / "link") == "can be written by every user"


def test_a_private_group_may_write(file, monkeypatch):
    file.chmod(0o664)
    gid = os.stat(file).st_gid
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: pwd.struct_passwd(("me", "x", uid, gid, "", "/", "")))
    monkeypatch.setattr(grp, "getgrgid", lambda gid: grp.struct_group(("me", "x", gid, [])))
    assert distrust(file) == ""


def test_a_private_group_with_an_access_list_is_not_private(file, monkeypatch):
    file.chmod(0o664)
    monkeypatch.setattr(owner.os, "listxattr", lambda path: [owner.ACCESS_LIST])
    assert distrust(file).startswith("can be written by the group")


def test_a_group_that_nobody_knows_is_not_private(file, monkeypatch):
    def unknown(number):
        raise KeyError(number)

    file.chmod(0o664)
    monkeypatch.setattr(grp, "getgrgid", unknown)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert distrust(file) == f"can be written by the group with gid {os.stat(file).st_gid}"
    assert user_name(NOBODYS) == f"uid {NOBODYS}"


@as_root
def test_what_belongs_to_another_user_is_not_trusted(file):
    os.chown(file, OTHER, -1)
    name = pwd.getpwuid(OTHER).pw_name
    assert distrust(file) == f"belongs to {name} (uid 1), not to root (uid 0)"
    os.chown(file, NOBODYS, -1)
    assert distrust(file).startswith(f"belongs to uid {NOBODYS}, not to ")


def test_what_belongs_to_root_is_trusted_where_that_is_asked(file, monkeypatch):
    uid = os.stat(file).st_uid
    monkeypatch.setattr(owner.os, "geteuid", lambda: NOBODYS)
    if uid == 0:
        assert distrust(file) == ""
        assert "belongs to root (uid 0)" in distrust(file, root=False)
    else:
        assert "belongs to" in distrust(file)


@as_root
def test_a_link_counts_as_its_target(file, tmp_path):
    os.chown(file, OTHER, -1)
    link = tmp_path / "link"
    link.symlink_to(file)
    assert "belongs to" in distrust(link)


def test_what_is_missing_is_an_oserror(tmp_path):
    with pytest.raises(FileNotFoundError):
        distrust(tmp_path / "none")


# -- opening -----------------------------------------------------------------------------------------------------


def test_a_file_is_opened(file):
    with open_file(file) as opened:
        assert opened.read() == b"text"


def test_what_another_user_could_have_written_is_not_opened(file):
    file.chmod(0o666)
    with pytest.raises(ForeignFileError) as caught:
        open_file(file)
    assert (caught.value.filename, caught.value.strerror) == (str(file), "can be written by every user")
    with open_file(file, own=False) as opened:
        assert opened.read() == b"text"


def test_what_would_take_for_ever_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name in ("pipe", "zero"):
        with pytest.raises(OSError, match="Not a plain file"):
            open_file(tmp_path / name)
    with pytest.raises(IsADirectoryError):
        open_file(tmp_path)


def test_nothing_stays_open(file):
    file.chmod(0o666)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        with pytest.raises(ForeignFileError):
            open_file(file)
    assert len(os.listdir("/proc/self/fd")) == before
