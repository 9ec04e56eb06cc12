"""The one seam to commands."""

import pytest

from launchers.connector import CommandError, LocalConnector


def test_commands_have_the_environment_of_the_user_and_what_is_added(monkeypatch):
    """experimaestro ran scontrol with an empty one: no PATH, no SLURM_CONF."""
    monkeypatch.setenv("SLURM_CONF", "/etc/elsewhere.conf")
    outcome = LocalConnector().run(("sh", "-c", "echo $SLURM_CONF $MORE"), timeout=10, env={"MORE": "more"})
    assert (outcome.status, outcome.stdout) == (0, "/etc/elsewhere.conf more\n")


def test_a_command_that_is_not_there_and_one_that_takes_too_long():
    with pytest.raises(CommandError, match="there is no command no-such-command"):
        LocalConnector().run(("no-such-command",), timeout=10)
    with pytest.raises(CommandError, match="sleep"):
        LocalConnector().run(("sleep", "10"), timeout=0.2)
