"""Processes that take one lock again and again, while some of them are killed and stopped; how often two had it.

    tally = take_often([folder / "lock"] * 8, takes=50_000, seed=1)

Each path is that of one process, as several machines may see the same lock.  Whether somebody else is inside is told by
flock on a file of this machine: that goes with its process, so a killed holder is not taken for a second one.  This file,
run as a program, does it, as a process without threads may fork; it prints the tally.
"""

import fcntl
import json
import mmap
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

from attrs import asdict, define

from launchers.processes import Place
from launchers.runs.lock import HeldError, hold

BLOCKED = 60.0
"""Seconds without any take after which the lock counts as one that nobody can take."""
INSIDE = 0.0005
"""The longest time for which a process holds the lock, in seconds; most give it back at once."""
ELSEWHERE = Place("b0", "a0", "c0")


def stand_in(path, name):
    """Have a name stand in a lock."""
    path.mkdir()
    (path / name).touch()


def name_of(host="elsewhere", pid=1, when=2, there=ELSEWHERE, token="0123456789abcdef"):
    """The name of a holder."""
    return f"{host}.{pid}.{when}.{there.boot}.{there.pids}.{there.machine}.{token}"


@define
class Tally:
    """How often the lock was taken, by two at once, and what became of the processes."""

    takes: int = 0
    doubled: int = 0
    killed: int = 0
    stopped: int = 0
    failed: int = 0
    blocked: bool = False


def take_often(locks, takes, seed=1, disturbances=0):
    """Have a process for each lock take it, until all have so often; this process may have threads."""
    argv = [sys.executable, __file__, json.dumps([list(map(str, locks)), takes, seed, disturbances])]
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True)
    return Tally(**json.loads(done.stdout))


class Race:
    """The processes, and what they count together: a pair of numbers for each, takes and doubled."""

    def __init__(self, locks, seed):
        self.locks, self.seed = locks, seed
        self.counts = memoryview(mmap.mmap(-1, len(locks) * 16)).cast("q")
        self.witness = Path(tempfile.mkdtemp()) / "witness"
        self.clients = [self.start(number) for number in range(len(locks))]

    def start(self, number):
        child = os.fork()
        if not child:
            try:
                self.be_client(number)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(1)
        return child

    def be_client(self, number):
        chance = random.Random(os.getpid() * self.seed)
        path = Path(self.locks[number])
        while True:
            try:
                with hold(path), self.witness.open("a") as inside:
                    try:
                        fcntl.flock(inside, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    except BlockingIOError:
                        self.counts[2 * number + 1] += 1
                    if chance.random() < 0.2:
                        time.sleep(chance.uniform(0, INSIDE))
                    self.counts[2 * number] += 1
            except HeldError:
                time.sleep(chance.uniform(0, 0.002))

    def run(self, takes, disturbances):
        """Let them until there are so many takes; kill or stop one so often meanwhile, evenly."""
        tally, chance = Tally(), random.Random(self.seed)
        before, since = 0, time.monotonic()
        while (done := sum(self.counts[::2].tolist())) < takes:
            if done != before:
                before, since = done, time.monotonic()
            elif time.monotonic() - since > BLOCKED:
                tally.blocked = True
                break
            if (tally.killed + tally.stopped) * takes < done * disturbances:
                self.disturb(chance, tally)
            time.sleep(chance.uniform(0, 0.005))
            tally.failed += self.renew_ended()
        for client in self.clients:
            os.kill(client, signal.SIGKILL)
            os.waitpid(client, 0)
        tally.takes, tally.doubled = sum(self.counts[::2].tolist()), sum(self.counts[1::2].tolist())
        return tally

    def disturb(self, chance, tally):
        number = chance.randrange(len(self.clients))
        if chance.random() < 0.3:
            os.kill(self.clients[number], signal.SIGSTOP)
            time.sleep(chance.choice([0.001, 0.02, 0.3]))
            os.kill(self.clients[number], signal.SIGCONT)
            tally.stopped += 1
            return
        os.kill(self.clients[number], signal.SIGKILL)
        os.waitpid(self.clients[number], 0)
        self.clients[number] = self.start(number)
        tally.killed += 1

    def renew_ended(self):
        """Start those again that ended by themselves, which none should; how many."""
        ended = 0
        for number, client in enumerate(self.clients):
            if os.waitpid(client, os.WNOHANG)[0]:
                self.clients[number] = self.start(number)
                ended += 1
        return ended


if __name__ == "__main__":
    locks, takes, seed, disturbances = json.loads(sys.argv[1])
    print(json.dumps(asdict(Race(locks, seed).run(takes, disturbances))))
