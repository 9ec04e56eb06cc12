"""Schedulers that only write down what they are asked: a Slurm of commands, and one in memory."""

import pytest
from fake_backend import FakeBackend
from fake_slurm import fake_slurm

from launchers.runs import send
from launchers.slurm.backend import SlurmBackend


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """The folder of what that Slurm knows; nothing is waited for long."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(SlurmBackend, "grace", 1.0)
    monkeypatch.setattr(send, "PAUSES", (0.01, 0.01, 0.01))
    return fake_slurm(tmp_path, monkeypatch)


@pytest.fixture
def fake(monkeypatch):
    """A scheduler in memory, which every run is on."""
    backend = FakeBackend()
    monkeypatch.setattr("launchers.runs.stored.backend", lambda scheduler: backend)
    monkeypatch.setattr(send, "PAUSES", (0.001, 0.001, 0.001))
    monkeypatch.setattr(send, "LOOK_AGAIN", 0.001)
    return backend
