"""Where runs are attacked: this machine, a Slurm, an OAR, a Slurm that is made up.  What each can be made to suffer."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import oar_testbed
import slurm_testbed
from chaos_run import made_up
from chaos_run.scene import Scene, environment_of

SLURM = ("sbatch", "squeue", "sacct", "scancel")
OAR = ("oarsub", "oarstat", "oardel")
CPU = {"Sockets": 2, "CoresPerSocket": 32, "RealMemory": 256000}
MIN_JOB_AGE = 2
"""Seconds; the least that Slurm 22.05 takes."""
PURGE = 62
"""Seconds between two times at which slurmctld forgets what is older (slurmctld/controller.c, PURGE_JOB_INTERVAL)."""
DESCRIPTION = {
    "config": {
        "MinJobAge": MIN_JOB_AGE,
        "KillWait": 2,
        "SchedulerParameters": "sched_interval=1,bf_interval=1,bf_continue,batch_sched_delay=0",
        "PriorityType": "priority/basic",
        "PreemptType": "preempt/none",
        "PreemptMode": "OFF",
    },
    "nodes": [{"NodeName": "n[1-2]", **CPU}],
    "partitions": [
        {"PartitionName": "cpu", "Default": "YES", "Nodes": "n[1-2]", "MaxTime": "1-0", "DefMemPerCPU": 100},
    ],
    "qos": {"normal": {"Priority": 10}},
    "accounts": {"lab": {"users": {"*": {"QOS": "normal", "DefaultQOS": "normal"}}}},
    "default_account": "lab",
}
"""Two nodes that start jobs at once and forget them as soon as Slurm can."""


CLOCK = Path(__file__).with_name("clock.c")


class Here:
    """This machine: each try has a ledger of its own, so that none waits for another."""

    name = "here"
    kinds = ("kill", "stop", "race", "disk", "clock", "owner")
    config = "local: [{id: here, cpu: {cores: 6, memory: 8G}}]\n"
    commands: tuple[str, ...] = ()
    forgets = 1.0
    """For how many seconds a client is stopped, so that what it waits for is forgotten."""
    bound = 90.0
    uid = 0
    loses_jobs = True
    """Whether jobs that run are ended when the scheduler forgets everything."""

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="launchers-chaos-", dir="/var/tmp"))  # some attacks take /tmp away
        self.root.chmod(0o755)
        self.precious: list[str] = []
        self.crashed = False
        self.python = sys.executable

    def clock(self) -> Path:
        """A library that has the clock of whoever loads it jump."""
        path = self.root / "clock.so"
        if not path.exists():
            fresh = self.root / f"clock.{threading.get_ident()}"
            subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", str(fresh), str(CLOCK)], check=True)
            fresh.chmod(0o755)
            fresh.rename(path)
        return path

    def up(self) -> None:
        """Start what is needed."""

    def down(self) -> None:
        """Stop it."""

    def heal(self) -> None:
        """Whatever was taken away is there again."""

    def repair(self) -> bool:
        """Do what an administrator does about jobs that neither start nor end; whether there is anything."""
        return False

    def hindrance(self, kind: str) -> str:
        """Why a kind cannot be tried here; "" where it can."""
        if kind in ("disk", "owner") and os.geteuid():
            return "it needs root, to mount a small disk, or to give files away"
        if kind == "clock" and shutil.which("cc") is None:
            return "it needs a C compiler (cc), for a library that has the clock jump"
        return ""

    def environment(self, folder: Path) -> dict[str, str]:
        """That of a client."""
        return environment_of(folder)

    def prefix(self) -> tuple[str, ...]:
        """What stands before the command of a client."""
        return ()

    def schedulers(self, scene: Scene) -> list[int]:
        """The processes of ours that schedule the jobs of a try.

        A child of one of them, which is about to become a job, looks like one for a moment.
        """
        needle = f"launchers.local.scheduler\0{scene.runs}".encode()
        parents = {}
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if needle in path.read_bytes():
                    status = path.with_name("stat").read_text()
                    parents[int(path.parent.name)] = int(status.rpartition(")")[2].split()[1])
        return [pid for pid, parent in parents.items() if parent not in parents]

    def end(self, scene: Scene) -> None:
        """Leave nothing of a try running."""
        for pid in [*self.schedulers(scene), *(line.pid for line in scene.alive())]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


class Slurm(Here):
    """A real Slurm."""

    name = "slurm"
    kinds = ("kill", "stop", "race", "disk", "answers", "ids", "parents", "clock", "owner", "outage")
    config = "slurm: [{id: chaos, query_slurm: true}]\n"
    commands = SLURM
    forgets = float(MIN_JOB_AGE + PURGE)
    bound = 150.0

    def __init__(self) -> None:
        super().__init__()
        self.bed = slurm_testbed.Testbed(self.root / "bed", port=slurm_testbed.PORT + 700, cluster="chaos")

    def up(self) -> None:
        self.bed.up(DESCRIPTION)

    def down(self) -> None:
        self.bed.wipe()

    def heal(self) -> None:
        self.bed.up(DESCRIPTION)
        if self.precious:
            self.bed.command("scancel", "-n", "precious", check=False)
            self.precious = []

    def repair(self) -> bool:
        """Release what a killed controller has left held, and have the nodes say which jobs they really run.

        Slurm asks its nodes about that by itself, too, but only every half an hour (MAX_REG_FREQUENCY pings).
        """
        rows = self.bed.command("squeue", "-h", "-t", "PD", "-o", "%A|%r", check=False).stdout.splitlines()
        for job in (row.partition("|")[0] for row in rows if "held" in row):  # "launch failed requeued held"
            self.bed.command("scontrol", "release", job, check=False)
        return self.bed.command("scontrol", "reconfigure", check=False).returncode == 0

    def environment(self, folder: Path) -> dict[str, str]:
        return {**environment_of(folder), "SLURM_CONF": str(self.bed.conf)}

    def stop(self, daemon: str, *, hard: bool) -> None:
        """Take a daemon away; a slurmctld that is killed loses what it has not written down yet, jobs among it."""
        pid = self.bed.alive(daemon)
        if pid and hard:
            self.crashed |= daemon == "slurmctld"
            os.kill(pid, signal.SIGKILL)
        self.bed.stop(daemon, patience=8)

    def forget(self) -> None:
        """The controller has lost its memory, and counts from the beginning again."""
        self.stop("slurmctld", hard=True)
        shutil.rmtree(self.bed.state / "ctld", ignore_errors=True)
        self.bed.up(DESCRIPTION)

    def foreign_jobs(self, number: int, seconds: int) -> list[str]:
        """Jobs of the same user that have nothing to do with us: their ids."""
        argv = ["sbatch", "--parsable", "-J", "precious", "-o", "/dev/null", "-D", "/tmp", "--wrap", f"sleep {seconds}"]
        return [self.bed.command(*argv).stdout.strip().partition(";")[0] for _ in range(number)]

    def foreign_states(self) -> dict[str, str]:
        """The states of the jobs that are not ours."""
        rows = self.bed.command("squeue", "-h", "-a", "-t", "all", "-n", "precious", "-o", "%A %T").stdout.split("\n")
        return dict(row.split() for row in rows if row.strip())

    def requeue(self, job: str) -> bool:
        """Have the scheduler run a job again."""
        return self.bed.command("scontrol", "requeue", job, check=False).returncode == 0

    def delete(self, job: str) -> bool:
        """Somebody deletes a job by hand."""
        return self.bed.command("scancel", job, check=False).returncode == 0

    def daemons(self) -> tuple[str, ...]:
        """What an outage may take away."""
        return ("slurmctld", "slurmctld", "slurmdbd")


class MadeUp(Here):
    """A Slurm that is made up (chaos_run/made_up.py): quick, and nothing has to be installed."""

    name = "fake"
    kinds = ("kill", "stop", "race", "disk", "answers", "ids", "parents", "clock", "owner", "outage")
    config = (
        "slurm: [{id: fake, partitions: {cpu: {limits: {max_duration: 1 day}, "
        "nodes: [{hosts: 'n[1-2]', count: 2, cpu: {cores: 64, memory: 250G}}]}}}]\n"
    )
    commands = SLURM
    forgets = float(made_up.MIN_JOB_AGE + 1)

    def up(self) -> None:
        self.memory, self.bin = self.root / "slurm", self.root / "bin"
        self.memory.mkdir()
        self.bin.mkdir()
        for name in made_up.COMMANDS:
            (self.bin / name).write_text(f"#!{sys.executable} -IS\n{Path(made_up.__file__).read_text()}")
            (self.bin / name).chmod(0o755)
        self.controller = made_up.Controller(str(self.memory))
        self.controller.start()

    def down(self) -> None:
        self.controller.over.set()
        self.controller.join()

    def environment(self, folder: Path) -> dict[str, str]:
        own = environment_of(folder)
        return {**own, "PATH": f"{self.bin}:{own['PATH']}", "FAKE_SLURM": str(self.memory)}

    def heal(self) -> None:
        self.controller.away.unlink(missing_ok=True)
        if self.precious:
            self.command("scancel", "-n", "precious")
            self.precious = []

    def daemons(self) -> tuple[str, ...]:
        """What an outage may take away."""
        return ("slurmctld",)

    def stop(self, daemon: str, *, hard: bool) -> None:
        """Nobody answers any more."""
        self.controller.away.touch()

    def forget(self) -> None:
        """The controller has lost its memory, and counts from the beginning again."""
        self.controller.forget()

    def command(self, *argv: str) -> str:
        """Run one of its commands."""
        environment = {**os.environ, "FAKE_SLURM": str(self.memory)}
        done = subprocess.run(
            [self.bin / argv[0], *argv[1:]], env=environment, capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    def foreign_jobs(self, number: int, seconds: int) -> list[str]:
        """Jobs of the same user that have nothing to do with us: their ids."""
        self.controller.at_once += number
        return [
            self.command("sbatch", "--parsable", "-J", "precious", "--wrap", f"sleep {seconds}") for _ in range(number)
        ]

    def foreign_states(self) -> dict[str, str]:
        """The states of the jobs that are not ours."""
        return dict(row.split() for row in self.command("squeue", "-n", "precious", "-o", "%A %T").splitlines())

    def requeue(self, job: str) -> bool:
        """Not made up."""
        return False

    def delete(self, job: str) -> bool:
        """Somebody deletes a job by hand."""
        self.command("scancel", job)
        return True


class Oar(Here):
    """The real OAR of this machine.  Where it runs already, it is left running, and its daemons are left alone."""

    name = "oar"
    kinds = ("kill", "race", "disk", "answers", "parents", "clock", "outage")
    config = "oar: [{id: grid, query_oar: true}]\n"
    commands = OAR
    forgets = 5.0
    bound = 300.0
    loses_jobs = False

    def __init__(self) -> None:
        super().__init__()
        self.bed = oar_testbed.Testbed()

    def up(self) -> None:
        self.shared = all(self.bed.daemons.values())
        self.bed.up()
        self.python = str(self.bed.python())
        account = pwd.getpwnam(oar_testbed.USER)
        self.uid = account.pw_uid
        shutil.rmtree(self.root)
        self.root = Path(tempfile.mkdtemp(dir=self.bed.home, prefix="chaos-"))
        shutil.chown(self.root, oar_testbed.USER, oar_testbed.USER)
        self.root.chmod(0o755)

    def down(self) -> None:
        if not self.shared:
            self.bed.down()

    def heal(self) -> None:
        if not self.shared:
            if pid := self.bed.daemons["postgres"]:
                os.kill(pid, signal.SIGCONT)
            self.bed.up()

    def environment(self, folder: Path) -> dict[str, str]:
        names = ("PYTHONPATH", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "LAUNCHERS_LOCAL_STATE", "PYTHONDONTWRITEBYTECODE")
        own = environment_of(folder)
        return {**self.bed.env, **{name: own[name] for name in names}}

    def prefix(self) -> tuple[str, ...]:
        account = str(self.uid)
        return ("setpriv", f"--reuid={account}", f"--regid={account}", "--clear-groups")

    def hindrance(self, kind: str) -> str:
        if kind == "outage" and self.shared:
            return "this OAR ran before: others may use it"
        return super().hindrance(kind)

    def daemons(self) -> tuple[str, ...]:
        """What an outage may take away."""
        return ("almighty", "postgres")

    def stop(self, daemon: str, *, hard: bool) -> None:
        """Take the server away; the database only hangs, as what it has is gone when it is started again."""
        pid = self.bed.daemons[daemon]
        if pid and daemon == "almighty":
            os.kill(pid, signal.SIGKILL if hard else signal.SIGTERM)
            self.bed.gone("almighty", 30)
        elif pid:
            os.kill(pid, signal.SIGSTOP)

    def requeue(self, job: str) -> bool:
        """OAR runs no job again."""
        return False

    def delete(self, job: str) -> bool:
        """Somebody deletes a job by hand."""
        return self.bed.command("oardel", job, check=False, user=oar_testbed.USER, cwd=self.root).returncode == 0


BEDS = {bed.name: bed for bed in (Here, Slurm, Oar, MadeUp)}
