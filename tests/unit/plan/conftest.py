"""A machine on which plans run."""

from pathlib import Path

import pytest
from config_files import local_entry, write_config

BUILDERS = Path(__file__).resolve().parents[2] / "builders"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a launchers.yaml: one machine of two cores, described by hand."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(BUILDERS))  # what a plan names, the node imports
    write_config(tmp_path, local=[local_entry(cores=2)])
    return tmp_path
