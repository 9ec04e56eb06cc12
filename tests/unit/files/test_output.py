"""Files that a user names for output: written whole, and never over what launchers did not write."""

import errno
import os
import socket
import stat
from pathlib import Path

import pytest

from launchers.files.output import (
    DOT,
    MARKUP,
    MERMAID,
    YAML,
    UnownedFileError,
    check_output,
    is_stream,
    seal,
    without_seal,
    write_output,
)

OURS = seal("a: 1\n", YAML)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name, content="new\n", *, force=False):
    return write_output(name, content, "do something else", force=force)


def names():
    return sorted(path.name for path in Path().iterdir())


# -- whose a file is ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("comment", [YAML, MARKUP, DOT, MERMAID])
@pytest.mark.parametrize("text", ["", "a\n", "\udce9\N{GREEK SMALL LETTER ALPHA}", "a\n" * 100_000])
def test_what_launchers_wrote_is_replaced(comment, text):
    sealed = seal(text, comment)
    assert without_seal(sealed) == text
    assert write("f", sealed) is None
    assert write("f", seal("other", comment)) is None
    assert names() == ["f"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("mine", "launchers did not write this file"),
        ("# " + OURS, "launchers did not write this file"),
        ("\n" + OURS, "launchers did not write this file"),
        (OURS + "b: 2\n", "this file was edited since launchers wrote it"),
        (OURS.replace("a: 1", "a: 2"), "this file was edited since launchers wrote it"),
        (OURS.replace("\n", "\r\n"), "launchers did not write this file"),
        (without_seal(OURS), "launchers did not write this file"),
        (OURS[:40], "launchers did not write this file"),
    ],
)
def test_what_launchers_did_not_write_stays(content, reason):
    Path("f").write_bytes(content.encode())
    for act in (check_output, lambda name, advice: write_output(name, "new", advice)):
        with pytest.raises(UnownedFileError) as caught:
            act("f", "do something else")
        assert (caught.value.errno, caught.value.filename) == (errno.EEXIST, "f")
        advice = "do something else; or add --force, which keeps it as f.bak"
        assert caught.value.strerror == f"{reason}, so it stays as it is: {advice}"
    assert Path("f").read_bytes() == content.encode()
    assert names() == ["f"]


def test_a_new_name_and_an_empty_file_are_free():
    assert write("f") is None
    Path("g").touch()
    assert write("g") is None
    assert [Path(name).read_text() for name in names()] == ["new\n", "new\n"]


def test_what_is_there_already_is_not_written_again():
    Path("f").write_text("new\n")
    before = Path("f").stat()
    assert write("f") is None
    assert Path("f").stat() == before


def test_force_keeps_the_old_file_and_every_file_that_was_kept_before():
    for number, name in enumerate(("f.bak", "f.bak.2", "f.bak.3")):
        Path("f").write_text(f"mine {number}")
        check_output("f", "", force=True)
        assert write("f", force=True) == Path(name)
        assert Path("f").read_text() == "new\n"
        Path("f").unlink()
    assert [Path(name).read_text() for name in names()] == ["mine 0", "mine 1", "mine 2"]


def test_force_keeps_nothing_where_nothing_is_lost():
    Path("f").write_text(OURS)
    assert write("f", force=True) is None
    assert names() == ["f"]


def test_a_file_system_without_hard_links(monkeypatch):
    def fail(*_):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", fail)
    Path("f").write_text("mine")
    Path("f").chmod(0o640)
    Path("f.bak").write_text("older")
    assert write("f", force=True) == Path("f.bak.2")
    assert [Path(name).read_text() for name in names()] == ["new\n", "older", "mine"]
    assert stat.S_IMODE(Path("f.bak.2").stat().st_mode) == 0o640


def test_a_full_disk_leaves_everything_as_it_was(monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    Path("f").write_text("mine")
    monkeypatch.setattr(os, "fsync", fail)
    for no_links in (False, True):
        if no_links:
            monkeypatch.setattr(Path, "hardlink_to", fail)
        with pytest.raises(OSError, match="cannot be written: No space left") as caught:
            write("f", force=True)
        assert caught.value.filename == "f"
        assert Path("f").read_text() == "mine"
        assert names() == ["f"]


# -- names -------------------------------------------------------------------------------------------------------


def test_a_file_hands_on_its_mode():
    Path("f").write_text(OURS)
    Path("f").chmod(0o604)
    write("f")
    assert stat.S_IMODE(Path("f").stat().st_mode) == 0o604


def test_links_are_followed(here):
    Path("far").mkdir()
    Path("far/f").write_text("mine")
    Path("link").symlink_to("far/f")
    with pytest.raises(UnownedFileError):
        write("link")
    assert write("link", force=True) == here / "far" / "f.bak"
    assert Path("link").is_symlink()
    assert Path("far/f").read_text() == "new\n"
    Path("fresh").symlink_to("far/g")
    write("fresh")
    assert Path("far/g").read_text() == "new\n"


def test_a_circle_of_links():
    Path("a").symlink_to("b")
    Path("b").symlink_to("a")
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        write("a")
    assert Path("a").is_symlink()


def test_what_is_no_file_is_refused(here):
    Path("folder").mkdir()
    os.mkfifo("pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        for name, reason in (
            ("", "the name of the file is empty"),
            ("folder", "Is a directory"),
            ("new/", "Is a directory"),
            ("none/f", "No such file or directory"),
            ("pipe", "it is a pipe, a socket or a disk, not a plain file"),
            ("socket", "it is a pipe, a socket or a disk, not a plain file"),
            ("/dev/full", "No space left on device"),
            ("/dev/fd/99999", "Bad file descriptor"),
        ):
            for force in (False, True):
                with pytest.raises(OSError, match=f"cannot be written: {reason}") as caught:
                    write(name, force=force)
                assert caught.value.filename == (name or "''")
    assert names() == ["folder", "pipe", "socket"]


def test_a_file_that_may_not_be_written_is_not_replaced(monkeypatch):
    Path("f").write_text(OURS)
    monkeypatch.setattr(os, "access", lambda path, _: path.name != "f")  # root may do everything
    with pytest.raises(OSError, match="cannot be written: Permission denied"):
        write("f", force=True)


def test_streams(capfdbinary):
    for name in ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "/dev/stderr", "/dev/fd/2"):
        assert is_stream(name)
        check_output(name, "")
        assert write(name, f"{name}\n") is None
        assert write(name, b"\xff\n") is None
    out, err = capfdbinary.readouterr()
    assert out == b"-\n\xff\n/dev/stdout\n\xff\n/dev/fd/1\n\xff\n/proc/self/fd/1\n\xff\n"
    assert err == b"/dev/stderr\n\xff\n/dev/fd/2\n\xff\n"
    assert not is_stream("/dev/null")
    assert write("/dev/null") is None


def test_a_process_substitution_of_the_shell():
    reading, writing = os.pipe()
    assert write(f"/dev/fd/{writing}") is None
    os.close(writing)
    assert os.read(reading, 99) == b"new\n"
    os.close(reading)


def test_the_longest_name():
    write("n" * 255)
    assert names() == ["n" * 255]
