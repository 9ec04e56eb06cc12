"""Clients that are killed with SIGKILL at a chosen moment, and what they leave behind.

    with Clients(steps.submit_small) as clients:
        points = clients.count()
        clients.kill(at=points // 2)

A client is a process that calls a function of one of these modules.  Its points are the moments before and after what
others can see of it: what it writes, and the commands that it runs.  It is forked from a server that has everything
imported, so that hundreds can be tried.  The commands that a killed client leaves behind become children of that
server, which can wait for them.  This file, run as a program, is the server.
"""

import ctypes
import importlib
import json
import os
import signal
import subprocess
import sys

POINTS = [
    *((os, name) for name in ("fsync", "open", "link", "rename", "unlink")),
    *((subprocess.Popen, name) for name in ("__init__", "wait")),
]
"""The functions before and after which a client can be killed."""
IMPORTED = ("cloudpickle", "submitit", "launchers.slurm.executor", "launchers.plan.submit")
"""What clients use, so that not each of them has to import it."""
NEVER = -1
END = -2
"""Points: not killed; killed when its work is done."""
PR_SET_CHILD_SUBREAPER = 36
"""man prctl"""


class Clients:
    """Clients that all do the same work: a function of a module of tests/builders, with arguments by name."""

    def __init__(self, work, **arguments):
        argv = [sys.executable, __file__, work.__module__, work.__name__, json.dumps(arguments)]
        self._server = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.stdin.close()
        self._server.wait()
        self._server.stdout.close()

    def count(self):
        """Let a client do its work; how many points it has come to."""
        answer = self._ask(NEVER)
        assert answer["status"] == 0, "the client failed: its traceback is on stderr"
        return answer["points"]

    def kill(self, at, *, wait=True):
        """Kill a client at a point; whether it leaves commands behind that still run.  `wait` waits for those."""
        answer = self._ask(at, wait=wait)
        assert answer["status"] == -signal.SIGKILL, f"the client never came to point {at}"
        return answer["left"]

    def _ask(self, point, *, wait=False):
        self._server.stdin.write(json.dumps({"point": point, "wait": wait}) + "\n")
        return json.loads(self._server.stdout.readline())


# -- the server ------------------------------------------------------------------------------------------------


def serve(work, arguments):
    """Start a client for each line that comes."""
    assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    for line in sys.stdin:
        request = json.loads(line)
        reader, writer = os.pipe()
        client = os.fork()
        if not client:
            be_client(work, arguments, request["point"], writer)
        os.close(writer)
        status = os.waitstatus_to_exitcode(os.waitpid(client, 0)[1])
        with open(reader) as points:
            answer = {"status": status, "points": int(points.read() or 0), "left": any_left(wait=request["wait"])}
        print(json.dumps(answer), flush=True)


def be_client(work, arguments, point, writer):
    """Do the work, be killed at a point, and end."""
    os.dup2(2, 1)  # stdout is the server's
    os.set_inheritable(writer, False)
    points = count_points(point)
    try:
        work(**arguments)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        os._exit(1)
    if point == END:
        os.kill(os.getpid(), signal.SIGKILL)
    os.write(writer, str(len(points)).encode())
    os._exit(0)


def count_points(last):
    """Have this process (not what it forks) killed at a point; a list that grows with each."""
    points, client = [], os.getpid()

    def tick(name):
        if os.getpid() == client and len(points) == last:
            os.kill(os.getpid(), signal.SIGKILL)
        points.append(name)

    def around(function):
        def ticking(*args, **kwargs):
            tick(function.__name__)
            result = function(*args, **kwargs)
            tick(function.__name__)
            return result

        return ticking

    for owner, name in POINTS:
        setattr(owner, name, around(getattr(owner, name)))
    return points


def any_left(*, wait):
    """Whether commands of clients that have ended still run; `wait` waits until none does."""
    try:
        while os.waitpid(-1, 0 if wait else os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


if __name__ == "__main__":
    for name in IMPORTED:
        importlib.import_module(name)
    module, function, arguments = sys.argv[1:]
    serve(getattr(importlib.import_module(module), function), json.loads(arguments))
