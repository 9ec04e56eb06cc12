"""Commands of launchers that are given at the same moment, each by a process of its own.

    with AtOnce() as at_once:
        statuses = at_once(["resume", run], ["cancel", run])

They are forked from a server that has everything imported, so that they really start together.  What they print is in
the files out.0, out.1 and so on of the current folder.  This file, run as a program, is the server.
"""

import importlib
import json
import os
import subprocess
import sys
import time

IMPORTED = ("cloudpickle", "submitit", "launchers.slurm.executor", "launchers.plan.retry", "launchers.cli.parsing")
COMMANDS = ("resume", "retry", "cancel", "clean", "status", "wait")
GRACE = 0.5
"""Seconds for which a job may not be seen yet in the fake Slurm, which shows each at once."""


class AtOnce:
    """The server of such commands."""

    def __enter__(self):
        self._server = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        return self

    def __exit__(self, *_):
        self._server.stdin.close()
        self._server.wait()
        self._server.stdout.close()

    def __call__(self, *commands):
        """The exit status of each."""
        self._server.stdin.write(json.dumps(commands) + "\n")
        return json.loads(self._server.stdout.readline())


def serve():
    """Start the commands of each line that comes."""
    for line in sys.stdin:
        start = time.monotonic() + 0.02
        children = [fork(number, argv, start) for number, argv in enumerate(json.loads(line))]
        print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]), flush=True)


def fork(number, argv, start):
    """A process that gives a command at a time; its pid."""
    from launchers.cli import main

    child = os.fork()
    if child:
        return child
    status = 70
    try:
        output = os.open(f"out.{number}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1), os.dup2(output, 2)
        while time.monotonic() < start:
            pass
        status = main(argv)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush(), sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    for name in (*IMPORTED, *(f"launchers.cli.{command}" for command in COMMANDS)):
        importlib.import_module(name)
    from launchers.slurm.backend import SlurmBackend

    SlurmBackend.grace = GRACE
    serve()
