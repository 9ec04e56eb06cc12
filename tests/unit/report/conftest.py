"""What the tests of the report room share."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Plans of a test are submitted from its own folder, to this machine."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2] / "builders"))
    (tmp_path / "launchers.yaml").write_text("local: [{id: box, cpu: {cores: 2, memory: 2G}}]\n")
