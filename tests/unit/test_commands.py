"""The one seam to commands."""

import logging
import os
import re
import shlex
import signal
import subprocess
import time

import pytest

from launchers.commands import LONGEST, CommandError, CommandNotFoundError, CommandTimeoutError, LocalConnector, shown


def test_commands_have_the_environment_of_the_user_and_what_is_added(monkeypatch):
    """experimaestro ran scontrol with an empty one: no PATH, no SLURM_CONF."""
    monkeypatch.setenv("SLURM_CONF", "/etc/elsewhere.conf")
    outcome = LocalConnector().run(("sh", "-c", "echo $SLURM_CONF $MORE"), timeout=10, env={"MORE": "more"})
    assert (outcome.status, outcome.stdout) == (0, "/etc/elsewhere.conf more\n")


def test_a_variable_is_taken_away(monkeypatch):
    monkeypatch.setenv("SLURM_CLUSTERS", "elsewhere")
    script = "echo ${SLURM_CLUSTERS-none} $HOME"
    outcome = LocalConnector().run(("sh", "-c", script), env={"SLURM_CLUSTERS": None, "HOME": "/home"})
    assert outcome.stdout == "none /home\n"


def test_a_command_that_is_not_there_and_one_that_takes_too_long():
    with pytest.raises(CommandNotFoundError, match="there is no command no-such-command"):
        LocalConnector().run(("no-such-command",), timeout=10)
    with pytest.raises(CommandTimeoutError, match="sleep"):
        LocalConnector().run(("sleep", "10"), timeout=0.2)


def test_a_folder_that_is_not_there_and_a_file_that_is_no_command(tmp_path):
    with pytest.raises(CommandError, match="cannot run true: the folder /no/such does not exist"):
        LocalConnector().run(("true",), cwd="/no/such")
    (tmp_path / "text").write_text("no program\n")
    with pytest.raises(CommandError, match=r"cannot run .*/text: Permission denied"):
        LocalConnector().run((str(tmp_path / "text"),))


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        ("echo out; printf 'a\\n\\n b \\nc\\nd\\n' >&2; exit 1", "a; b; c"),
        ("echo out; exit 1", "out"),
        ("exit 4", "exit status 4"),
        ("echo out; echo ' ' >&2; exit 1", "out"),
        ("kill -SEGV $$", "killed by SIGSEGV"),
        ("echo half an answer; kill -9 $$", "half an answer; killed by SIGKILL"),
        ("kill -40 $$", "killed by signal 40"),
    ],
)
def test_what_a_command_complains_about(script, complaint):
    assert LocalConnector().run(("sh", "-c", script)).complaint == complaint


@pytest.mark.parametrize("word", ["a\0b", "\ud800"])
def test_what_no_command_can_be_given(word):
    with pytest.raises(CommandError, match="cannot run echo: it cannot be given"):
        LocalConnector().run(("echo", word))


def test_bytes_that_are_no_text_pass_through():
    assert LocalConnector().run(("od", "-An", "-tx1"), input="\udce9").stdout.split() == ["e9"]
    assert LocalConnector().run(("printf", "\\351")).stdout == "\N{REPLACEMENT CHARACTER}"


# -- the log ---------------------------------------------------------------------------------------------------


@pytest.fixture
def logged(caplog):
    """The lines that `launchers.commands` logs."""
    caplog.set_level(logging.DEBUG, logger="launchers.commands")
    return lambda: [record.getMessage() for record in caplog.records if record.name == "launchers.commands"]


def test_each_command_is_logged_with_its_exit_status_and_seconds(logged):
    LocalConnector().run(("sh", "-c", "sleep 0.2; exit 3"))
    (line,) = logged()
    ended = re.fullmatch(r"sh -c 'sleep 0\.2; exit 3' \(exit status 3, (\d+\.\d\d) s\)", line)
    assert 0.2 <= float(ended[1]) < 5


@pytest.mark.parametrize(("argv", "timeout"), [(("no-such-command", "x"), 10), (("sleep", "10"), 0.1)])
def test_a_command_that_does_not_end_is_logged_too(logged, argv, timeout):
    with pytest.raises(CommandError):
        LocalConnector().run(argv, timeout=timeout)
    (line,) = logged()
    assert line.startswith(f"{' '.join(argv)} (no exit status, ")


def test_the_log_has_no_secrets(logged):
    LocalConnector().run(("cat",), input="input-secret", env={"TOKEN": "environment-secret"})
    LocalConnector().run(("echo", "output", "see https://me:p@ss@host/x and http://host/a@b"))
    assert "secret" not in "".join(logged())
    assert logged()[1].startswith("echo output 'see https://***@host/x and http://host/a@b' (")


def test_what_env_sets_for_a_job_is_not_shown():
    command = f"{shlex.join(['env', 'PATH=/a b:/c', 'X='])} python -m module A=1"
    assert shown(("oarsub", "-l", "cores=1", command)) == "oarsub -l cores=1 'env ... python -m module A=1'"
    assert shown(("printenv", "A=1")) == "printenv A=1"


def test_a_logged_command_is_one_line_and_not_endless():
    assert shown(("sh", "-c", "a\nb")) == r"sh -c 'a\nb'"
    assert shown(("x" * LONGEST,)) == "x" * LONGEST
    assert shown(("x" * (LONGEST + 1),)) == "x" * LONGEST + "..."


def test_nothing_is_logged_above_debug(caplog):
    caplog.set_level(logging.INFO, logger="launchers.commands")
    LocalConnector().run(("true",))
    assert caplog.records == []


# -- what commands leave behind --------------------------------------------------------------------------------


def test_nobody_waits_for_what_has_left_the_group_of_a_command():
    start = time.monotonic()
    with pytest.raises(CommandError, match="gave no answer within 1 s"):
        LocalConnector().run(("sh", "-c", "setsid sleep 12 & sleep 60"), timeout=1)
    assert time.monotonic() - start < 4


@pytest.mark.parametrize("left", ["setsid sleep 12", "sleep 12", "setsid sh -c 'while :; do echo more; done'"])
def test_a_command_has_ended_when_it_has_ended(left):
    """What it left behind keeps its output open, and may go on to write there."""
    start = time.monotonic()
    script = f"echo before; {left} & head -c 200000 /dev/zero | tr '\\0' x >&2; echo $!; exit 3"
    outcome = LocalConnector().run(("sh", "-c", script), timeout=10)
    assert time.monotonic() - start < 4
    os.kill(int(next(line for line in outcome.stdout.splitlines() if line.isdigit())), signal.SIGKILL)
    assert outcome.status == 3
    assert outcome.stdout.startswith("before\n")
    assert outcome.stderr == "x" * 200000


def test_a_large_output_comes_whole_while_a_large_input_is_read():
    text = "ä" * 500_000
    outcome = LocalConnector().run(("sh", "-c", "cat; sleep 0.3; echo; echo end >&2"), input=text, timeout=20)
    assert (outcome.stdout, outcome.stderr) == (text + "\n", "end\n")
    assert LocalConnector().run(("true",), input=text, timeout=20).status == 0  # which does not read it
    assert LocalConnector().run(("printf", "a\\r\\nb\\377"), timeout=20).stdout == "a\nb\N{REPLACEMENT CHARACTER}"


def test_the_processes_of_a_hung_command_end_with_it():
    with pytest.raises(CommandError):
        LocalConnector().run(("sh", "-c", "sleep 4321 & sleep 4321"), timeout=0.3)
    deadline = time.monotonic() + 5
    while (
        time.monotonic() < deadline
        and subprocess.run(["pgrep", "-f", "sleep 4321"], capture_output=True, check=False).stdout
    ):
        time.sleep(0.05)
    assert subprocess.run(["pgrep", "-f", "sleep 4321"], capture_output=True, check=False).stdout == b""


def test_nobody_waits_for_a_hung_command_of_another_user(monkeypatch):
    """OAR's commands are setuid: whoever starts one may not kill it."""

    def refuse(group, number):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "killpg", refuse)
    started = time.monotonic()
    with pytest.raises(CommandTimeoutError, match="sleep 6 gave no answer"):
        LocalConnector().run(("sleep", "6"), timeout=0.2)
    assert time.monotonic() - started < 4
