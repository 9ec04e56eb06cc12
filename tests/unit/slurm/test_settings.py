"""What a cluster says of itself: one question for all, and the least where it cannot be asked."""

import pytest
from connectors import Answers

from launchers.slurm import settings as room
from launchers.slurm.settings import Settings, forget_settings, read_settings, settings

CONFIG = """Configuration data as of 2026-11-28T10:16:00
AccountingStorageType   = accounting_storage/slurmdbd
ClusterName             = testbed
MaxArraySize            = 10001
MinJobAge               = 300 sec
ClusterName             = again
Slurmctld(primary) at localhost is UP
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (CONFIG, Settings("testbed", 10001, 300.0, True)), ("", Settings()),
        ("MinJobAge = 0 sec\nAccountingStorageType = accounting_storage/none", Settings(accounting=False)),
        ("MinJobAge = soon\nMaxArraySize = x\nClusterName = (null)", Settings()),
        ("NotMaxArraySize = 5\nAccountingStorageType = (null)", Settings(accounting=False)),
    ],
)  # fmt: skip
def test_what_is_read(text, expected):
    assert read_settings(text) == expected


def test_it_is_asked_once_for_a_while(monkeypatch):
    slurm = Answers({"scontrol show config": CONFIG})
    assert settings(slurm) is settings(slurm)
    assert len(slurm.asked) == 1
    monkeypatch.setattr(room, "KEPT_FOR", 0.0)
    settings(slurm)
    assert len(slurm.asked) == 2


def test_another_cluster_is_asked_for_itself(monkeypatch):
    monkeypatch.setenv("SLURM_CONF", "/a")
    assert settings(Answers({"scontrol": CONFIG})).cluster == "testbed"
    monkeypatch.setenv("SLURM_CONF", "/b")
    assert settings(Answers({"scontrol": "ClusterName=b"})).cluster == "b"
    forget_settings()
    assert settings(Answers({"scontrol": "ClusterName=c"})).cluster == "c"


@pytest.mark.parametrize("answers", [{}, {"scontrol": (1, "slurm_load_ctl_conf error")}])
def test_a_cluster_that_cannot_be_asked_is_asked_again(answers):
    assert settings(Answers(answers)) is None
    assert settings(Answers({"scontrol": CONFIG})) is not None
