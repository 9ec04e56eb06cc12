"""Where plans run: this machine, or a Slurm that is none."""

from pathlib import Path

import pytest
from config_files import local_entry, partition, slurm_entry, write_config
from slurm_queue import SlurmQueue

BUILDERS = Path(__file__).resolve().parents[2] / "builders"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a launchers.yaml: one machine of two cores, described by hand."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(BUILDERS))  # what a plan names, the node imports
    write_config(tmp_path, local=[local_entry(cores=2)])
    return tmp_path


@pytest.fixture
def queue(tmp_path, monkeypatch):
    """A Slurm of partitions that ask for no QoS, whose arrays have at most three elements."""
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path, slurm=[slurm_entry("far", {"c": partition(cores=64, memory="64G")})])
    return SlurmQueue(monkeypatch, array=3)
