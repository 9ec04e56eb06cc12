"""How a job on OAR learns its own id."""

import pytest

from launchers.oar.environment import LaunchersOarJobEnvironment


@pytest.fixture
def environment(monkeypatch):
    monkeypatch.setenv("OAR_JOB_ID", "12")
    monkeypatch.setenv("OAR_ARRAY_ID", "7")
    monkeypatch.delenv("OAR_ARRAY_INDEX", raising=False)
    monkeypatch.delenv("OAR_NODEFILE", raising=False)
    return LaunchersOarJobEnvironment()


def test_a_job_has_the_number_it_was_submitted_with(environment, monkeypatch):
    assert environment.array_task_id is None
    monkeypatch.setenv("OAR_ARRAY_INDEX", "3")
    assert (environment.array_job_id, environment.array_task_id) == ("7", "2")


def test_hosts_are_counted_once(environment, monkeypatch, tmp_path):
    assert environment.hostnames == [environment.hostname]
    (tmp_path / "nodes").write_text("b\na\nb\n")
    monkeypatch.setenv("OAR_NODEFILE", str(tmp_path / "nodes"))
    assert (environment.hostnames, environment.num_nodes) == (["a", "b"], 2)


def test_a_job_that_is_to_be_submitted_again_ends_with_99(environment):
    with pytest.raises(SystemExit) as ended:
        environment._requeue(1)
    assert ended.value.code == 99
