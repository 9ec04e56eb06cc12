"""What a submitted job does not get from this process's environment."""

import os

import pytest

from launchers.slurm.environment import without_sbatch_overrides

OVERRIDES = {"SBATCH_PARTITION": "debug", "SBATCH_TIMELIMIT": "1", "LAUNCHERS_STEP": "s"}
KEPT = {"SBATCH_RESERVATION": "r", "SLURM_CONF": "/etc/slurm.conf", "HOME": "/home/me"}
OWN = {"SLURM_NTASKS": "8", "SLURM_ARRAY_TASK_ID": "3"}


@pytest.fixture
def environment(monkeypatch):
    for name in list(os.environ):
        if name.startswith(("SLURM_", "SBATCH_")):
            monkeypatch.delenv(name)
    for name, value in {**OVERRIDES, **KEPT, **OWN, "SBATCH_ACCOUNT": "a"}.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("account", [True, False])
@pytest.mark.parametrize("in_job", [True, False])
def test_what_is_hidden(environment, monkeypatch, account, in_job):
    if in_job:
        monkeypatch.setenv("SLURM_JOB_ID", "7")
    before = dict(os.environ)
    with without_sbatch_overrides(account=account):
        hidden = before.keys() - os.environ.keys()
    job = {*OWN, "SLURM_JOB_ID"} if in_job else set()
    assert hidden == {*OVERRIDES, *job, *(["SBATCH_ACCOUNT"] if account else [])}
    assert dict(os.environ) == before


def test_what_was_hidden_comes_back_after_an_error(environment):
    before = dict(os.environ)
    with pytest.raises(KeyError), without_sbatch_overrides(account=True):
        raise KeyError
    assert dict(os.environ) == before
