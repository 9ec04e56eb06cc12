"""A file is written whole or not at all."""

import errno
import os
from pathlib import Path

import pytest

from launchers.files.atomic import write_atomically


def test_the_new_text_replaces_the_old_one_and_nothing_else_stays(tmp_path):
    path = tmp_path / "plan.json"
    path.write_text("old")
    write_atomically(path, "n\N{LATIN SMALL LETTER E WITH ACUTE}w")
    assert path.read_text(encoding="utf-8") == "n\N{LATIN SMALL LETTER E WITH ACUTE}w"
    assert [file.name for file in tmp_path.iterdir()] == ["plan.json"]


def test_bytes_and_permissions(tmp_path):
    path = tmp_path / "script.sh"
    write_atomically(path, b"#!/bin/sh\n# \xff\n", mode=0o700)
    assert path.read_bytes() == b"#!/bin/sh\n# \xff\n"
    assert oct(path.stat().st_mode)[-3:] == "700"


def test_the_text_is_on_disk_before_the_file_has_its_name(tmp_path, monkeypatch):
    path = tmp_path / "plan.json"
    seen = []
    monkeypatch.setattr(os, "fsync", lambda number: seen.append((path.exists(), os.fstat(number).st_size)))
    write_atomically(path, "whole")
    assert seen == [(False, 5)]


def test_the_old_file_stays_where_the_new_one_cannot_be_written(tmp_path, monkeypatch):
    def disk_full(number):
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "plan.json"
    path.write_text("old")
    monkeypatch.setattr(os, "fsync", disk_full)
    with pytest.raises(OSError, match="No space left") as caught:
        write_atomically(path, "new")
    assert caught.value.filename == str(path)
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["plan.json"]


def test_a_link_that_somebody_put_there_is_not_followed(tmp_path, monkeypatch):
    monkeypatch.setattr("launchers.files.atomic.secrets.token_hex", lambda _: "abcd")
    (tmp_path / ".plan.json.abcd").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        write_atomically(tmp_path / "plan.json", "new")
    assert not (tmp_path / "elsewhere").exists()


def test_two_machines_do_not_write_the_same_file(tmp_path, monkeypatch):
    """Processes of both may have the same pid."""
    fresh = []
    real = Path.rename
    monkeypatch.setattr(Path, "rename", lambda self, to: (fresh.append(self.name), real(self, to)))
    for text in ("a", "b"):
        write_atomically(tmp_path / "plan.json", text)
    assert len(set(fresh)) == 2


def test_what_is_no_text_is_written_as_it_is_shown(tmp_path):
    write_atomically(tmp_path / "page", "\udce9")
    assert (tmp_path / "page").read_text() == "\\udce9"
