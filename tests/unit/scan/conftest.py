"""Scans run on this machine."""

import pytest


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A machine of two cores, described by hand; USER is not set, as in some batch jobs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("USER", raising=False)
    (tmp_path / "launchers.yaml").write_text("local: [{id: box, cpu: {cores: 2, memory: 2G}}]\n")
