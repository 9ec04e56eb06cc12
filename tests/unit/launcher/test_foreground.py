"""Running a command on this machine: what it waits for, and the signals that go on to it."""

import os
import signal
import subprocess
import sys

import pytest
from local_jobs import job, wait_until

from launchers import find_launcher
from launchers.launcher.foreground import SignalForwarder, run_here, start_failure_status
from launchers.local.ledger import locked
from launchers.processes import born


@pytest.mark.parametrize(("error", "status"), [(FileNotFoundError(), 127), (PermissionError(), 126), (OSError(), 126)])
def test_the_status_of_what_cannot_start_is_a_shells(error, status):
    assert start_failure_status(error) == status


def test_what_a_command_takes_is_given_back(gpus, capfd):
    resources = find_launcher("cpu(cores=3)", tags=["local"]).resources
    assert run_here(resources, ["true"]) == 0
    assert run_here(resources, ["no-such-command"]) == 127
    with locked() as ledger:
        assert ledger.claims == []


def test_a_command_holds_what_it_takes_even_if_launchers_is_killed(gpus, tmp_path):
    run = (
        "from launchers import find_launcher; from launchers.launcher.foreground import run_here; "
        "run_here(find_launcher('cpu(cores=3)', tags=['local']).resources, ['sh', '-c', 'echo $$; exec sleep 60'])"
    )
    with subprocess.Popen([sys.executable, "-c", run], stdout=subprocess.PIPE, text=True) as client:
        command = int(client.stdout.readline())
        client.kill()
        client.wait()
    with locked() as ledger:
        assert [claim.cores for claim in ledger.claims] == [3]
    os.kill(command, signal.SIGKILL)
    wait_until(lambda: born(command) is None)
    with locked() as ledger:
        assert ledger.claims == []


def test_handlers_of_signals_are_put_back(gpus):
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    resources = find_launcher("cpu(cores=1)", tags=["local"]).resources
    run_here(resources, ["true"])
    run_here(resources, ["no-such-command"])
    assert [signal.getsignal(number) for number in numbers] == before


def test_what_can_never_run_here_is_refused(gpus):
    from attrs import evolve

    resources = evolve(find_launcher("cpu(cores=1)", tags=["local"]).resources, cores=99)
    with pytest.raises(ValueError, match="99"):
        run_here(resources, ["true"])


def test_a_signal_that_comes_before_the_child_is_kept_for_it():
    forwarder = SignalForwarder()
    try:
        forwarder.at_terminal = False
        os.kill(os.getpid(), signal.SIGTERM)
        with locked() as ledger:
            held = ledger.claim(job("a"), (), "a")
        child = forwarder.start(["sleep", "60"], dict(os.environ), held)
        assert child.wait(20) == -signal.SIGTERM
    finally:
        forwarder.stop()


@pytest.mark.parametrize(("number", "at_terminal", "goes_on"), [
    (signal.SIGINT, True, False), (signal.SIGINT, False, True), (signal.SIGTERM, True, True), (signal.SIGHUP, True, True),
])  # fmt: skip
def test_what_a_terminal_sends_to_both_does_not_go_on(number, at_terminal, goes_on):
    sent = []
    forwarder = SignalForwarder()
    try:
        forwarder.at_terminal = at_terminal
        forwarder.child = type("Child", (), {"send_signal": staticmethod(sent.append)})()
        forwarder.on(number, None)
    finally:
        forwarder.stop()
    assert sent == ([number] if goes_on else [])
