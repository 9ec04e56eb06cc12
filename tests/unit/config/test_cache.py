"""Readings of live clusters are kept for five minutes."""

import os
import time

import pytest

from launchers.config.cache import cache_path, read_cache, write_cache


def test_a_file_per_user_cluster_and_scheduler(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    paths = {cache_path("slurm", "/etc/slurm.conf"), cache_path("slurm", "/opt/slurm.conf"), cache_path("oar", "host")}
    assert len(paths) == 3
    assert {path.parent for path in paths} == {tmp_path / "launchers"}
    assert cache_path("slurm", "/etc/slurm.conf") in paths
    mine = cache_path("oar", "host")
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert cache_path("oar", "host") != mine


def test_without_a_cache_folder_it_is_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_path("oar", "host").parent == tmp_path / ".cache" / "launchers"


def test_what_was_written_is_read(tmp_path):
    path = tmp_path / "new" / "slurm.yaml"
    write_cache(path, "slurm: [{id: x}]")
    document, age = read_cache(path)
    assert document.slurm[0].id == "x"
    assert 0 <= age < 60
    assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(("age", "read"), [(0, 0), (299, 299), (300, None), (301, None), (-60, 0)])
def test_an_old_reading_is_not_used(tmp_path, monkeypatch, age, read):
    path = tmp_path / "slurm.yaml"
    write_cache(path, "slurm: []")
    os.utime(path, (1_000_000, 1_000_000))
    monkeypatch.setattr(time, "time", lambda: 1_000_000 + age)
    found = read_cache(path)
    assert (found and found[1]) == read


@pytest.mark.parametrize("text", [None, "slurm: [{key_of_another_version: 1}]", "["])
def test_a_file_that_cannot_be_used_is_as_none(tmp_path, text):
    path = tmp_path / "slurm.yaml"
    if text is not None:
        path.write_text(text)
    assert read_cache(path) is None


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "file").write_text("")
    write_cache(tmp_path / "file" / "slurm.yaml", "slurm: []")
    assert (tmp_path / "file").read_text() == ""
