"""What Slurm's commands do not get from this process's environment."""

import os

import pytest

from launchers.commands import LocalConnector
from launchers.slurm.environment import ask, job_environment, question_environment, user

OVERRIDES = {"SBATCH_PARTITION": "debug", "SBATCH_TIMELIMIT": "1", "LAUNCHERS_STEP": "s", "SLURM_CLUSTERS": "other"}
KEPT = {"SBATCH_RESERVATION": "r", "SLURM_CONF": "/etc/slurm.conf", "HOME": "/home/me"}
OWN = {"SLURM_NTASKS": "8", "SLURM_ARRAY_TASK_ID": "3"}
FILTERS = {
    "SQUEUE_STATES": "PD", "SQUEUE_FORMAT": "%i", "SQUEUE_USERS": "her", "SACCT_FEDERATION": "1", "SCANCEL_STATE": "PENDING",
    "SCANCEL_NAME": "x", "SCANCEL_INTERACTIVE": "1", "SCONTROL_FUTURE": "1", "SINFO_FORMAT": "%n", "SBATCH_CLUSTERS": "b",
}  # fmt: skip


@pytest.fixture
def environment(monkeypatch):
    for name in list(os.environ):
        if name.startswith(("SLURM_", "SBATCH_", "SQUEUE_", "SACCT_", "SCANCEL_")):
            monkeypatch.delenv(name)
    for name, value in {**OVERRIDES, **KEPT, **OWN, "SBATCH_ACCOUNT": "a"}.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("account", [True, False])
@pytest.mark.parametrize("in_job", [True, False])
def test_what_a_job_does_not_get(environment, monkeypatch, account, in_job):
    if in_job:
        monkeypatch.setenv("SLURM_JOB_ID", "7")
    changes = job_environment(account=account)
    assert set(changes.values()) == {None}
    job = {*OWN, "SLURM_JOB_ID"} if in_job else set()
    assert changes.keys() & os.environ.keys() == {*OVERRIDES, *job, *(["SBATCH_ACCOUNT"] if account else [])}


def test_what_a_question_does_not_get(environment, monkeypatch):
    """It is about the cluster of SLURM_CONF, and about nothing but what it names."""
    for name, value in FILTERS.items():
        monkeypatch.setenv(name, value)
    changes = question_environment()
    assert {name for name, value in changes.items() if value is None} == {
        *FILTERS,
        "SLURM_CLUSTERS",
        "SLURM_TIME_FORMAT",
    }
    assert question_environment("%s")["SLURM_TIME_FORMAT"] == "%s"


def test_a_question_is_asked_so(environment, monkeypatch):
    monkeypatch.setenv("SQUEUE_USERS", "her")
    script = "echo ${SQUEUE_USERS-nobody} ${SLURM_CLUSTERS-here} $SLURM_BITSTR_LEN $SLURM_CONF"
    assert ask(LocalConnector(), ("sh", "-c", script)).stdout == "nobody here 0 /etc/slurm.conf\n"


def test_a_user_without_a_name_has_a_number(monkeypatch):
    assert user()
    monkeypatch.setattr("os.getuid", lambda: 4242424)
    assert user() == "4242424"
