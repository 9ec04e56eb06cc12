"""Launchers on this machine, and on a cluster that nobody can reach."""

import pytest
from config_files import local_entry, partition, slurm_entry, write_config


@pytest.fixture
def gpus(tmp_path, monkeypatch):
    """A machine of four cores and two GPUs, and a cluster of larger GPUs."""
    monkeypatch.chdir(tmp_path)
    box = local_entry(cores=4, memory="8G", tags=["local"], gpu=[{"model": "A100", "count": 2, "memory": "40G"}])
    far = slurm_entry("far", {"p": partition(gpu={"count": 4, "memory": "80G"})}, tags=["slurm"], weight=-1)
    write_config(tmp_path, local=[box], slurm=[far])
    return tmp_path
