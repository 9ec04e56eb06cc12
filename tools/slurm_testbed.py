"""A real Slurm on one machine, for tests and for trying things: no systemd, no cgroups, Debian's packages, root.

    tools/slurm-testbed install            install Debian's packages (LAUNCHERS_NO_INSTALL=1: only say which)
    tools/slurm-testbed up                 start a cluster of 13 simulated nodes; what runs already is left alone
    tools/slurm-testbed up --controller-only [--describe FILE]
                                           a slurmctld without slurmd, to ask its opinion: a job that can start
                                           goes to CF, one that never can stays PD with its reason
    tools/slurm-testbed status [--json]    daemons and nodes
    tools/slurm-testbed env                the line that makes Slurm's commands talk to it
    tools/slurm-testbed down               stop what was started
    tools/slurm-testbed wipe               down, and remove the state

Options: --state DIR (default $TMPDIR/launchers-testbed), --port BASE (64 ports from there, default LAUNCHERS_TESTBED_PORT or 17200),
--cluster NAME, --enforce NO|ANY|ALL (EnforcePartLimits).  A second cluster needs a state folder and ports of its own.  A description is
JSON: {"config": {...}, "nodes": [{"NodeName": ...}], "partitions": [{"PartitionName": ...}], "qos": {name: {...}},
"accounts": {name: {"parent": ..., "limits": {...}, "users": {name: {...}}}}}, in the words of slurm.conf and sacctmgr.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PACKAGES = ("slurm-wlm", "slurmdbd", "mariadb-server", "munge")
COMMANDS = ("munged", "mariadbd", "mariadb-install-db", "slurmdbd", "slurmctld", "slurmd", "sbatch")
DEFAULT = Path(os.environ.get("TMPDIR", tempfile.gettempdir())) / "launchers-testbed"
PORT = int(os.environ.get("LAUNCHERS_TESTBED_PORT", "17200"))
os.environ["PATH"] = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"

CPU = {"Sockets": 2, "CoresPerSocket": 16, "ThreadsPerCore": 2, "RealMemory": 256000}
FULL = {
    "nodes": [
        {"NodeName": "cpu[01-03]", **CPU, "Feature": "intel,icelake,ib"},
        {"NodeName": "cpu04", "Sockets": 2, "CoresPerSocket": 32, "RealMemory": 512000, "Feature": "amd,milan,ib"},
        {"NodeName": "mem01", "Sockets": 4, "CoresPerSocket": 20, "RealMemory": 3000000, "Feature": "intel,bigmem,ssd"},
        {
            "NodeName": "mem02", "Sockets": 2, "CoresPerSocket": 24, "ThreadsPerCore": 2, "RealMemory": 1500000,
            "Feature": "intel,bigmem",
        },
        {
            "NodeName": "a100-01", "Sockets": 2, "CoresPerSocket": 64, "RealMemory": 1000000, "Gres": "gpu:a100:8",
            "Feature": "amd,a100,GPUM80G,nvlink,ib",
        },
        {
            "NodeName": "a100-02", "Sockets": 2, "CoresPerSocket": 32, "RealMemory": 500000, "Gres": "gpu:a100:8",
            "Feature": "amd,a100,GPUM40G,nvlink",
        },
        {
            "NodeName": "v100-01", "Sockets": 2, "CoresPerSocket": 20, "RealMemory": 380000, "Gres": "gpu:v100:4",
            "Feature": "intel,v100,GPUM32G",
        },
        {
            "NodeName": "rtx-[01-02]", "Sockets": 1, "CoresPerSocket": 16, "ThreadsPerCore": 2, "RealMemory": 128000,
            "Gres": "gpu:rtx3090:2", "Feature": "amd,rtx3090,GPUM24G",
        },
        {
            "NodeName": "gen-01", "Sockets": 1, "CoresPerSocket": 8, "ThreadsPerCore": 2, "RealMemory": 64000,
            "Gres": "gpu:2", "Feature": "intel,GPUM48G",
        },
        {
            "NodeName": "mix-01", "Sockets": 2, "CoresPerSocket": 16, "RealMemory": 256000,
            "Gres": "gpu:a100:2,gpu:v100:2", "Feature": "intel,a100,v100",
        },
    ],
    "partitions": [
        {"PartitionName": "cpu", "Default": "YES", "Nodes": "cpu[01-04]", "MaxTime": "2-0", "DefMemPerCPU": 2000},
        {
            "PartitionName": "bigmem", "Nodes": "mem[01-02]", "MaxTime": "7-0", "DefMemPerCPU": 16000,
            "MaxMemPerNode": 1400000, "MaxNodes": 1,
        },
        {
            "PartitionName": "gpu", "Nodes": "a100-[01-02],v100-01,rtx-[01-02],gen-01,mix-01", "MaxTime": "1-0",
            "DefCpuPerGPU": 4, "DefMemPerGPU": 16000,
        },
        {
            "PartitionName": "a100", "Nodes": "a100-[01-02],mix-01", "MaxTime": "3-0", "DefCpuPerGPU": 8,
            "DefMemPerCPU": 4000, "AllowQos": "normal,gpu,highprio",
        },
        {
            "PartitionName": "debug", "Nodes": "cpu01,rtx-01", "MaxTime": "30", "DefaultTime": "5",
            "DefMemPerCPU": 1000, "MaxCPUsPerNode": 8,
        },
        {"PartitionName": "restricted", "Nodes": "cpu[01-02]", "MaxTime": "1-0", "AllowAccounts": "ops", "DefMemPerCPU": 2000},
        {"PartitionName": "secret", "Nodes": "v100-01", "Hidden": "YES", "MaxTime": "UNLIMITED", "DefMemPerCPU": 2000},
        {"PartitionName": "offline", "Nodes": "cpu[03-04]", "State": "DOWN", "MaxTime": "1-0"},
        {"PartitionName": "draining", "Nodes": "cpu[03-04]", "State": "DRAIN", "MaxTime": "1-0"},
        {"PartitionName": "shut", "Nodes": "cpu[03-04]", "State": "INACTIVE", "MaxTime": "1-0"},
    ],
    "qos": {
        "normal": {"Priority": 10, "Preempt": "scavenger"},
        "scavenger": {"Priority": 0, "PreemptMode": "requeue", "GraceTime": 5},
        "gpu": {"Priority": 50, "MinTRESPerJob": "gres/gpu=1", "MaxTRESPerJob": "gres/gpu=4"},
        "short": {"Priority": 100, "MaxWall": "01:00:00"},
        "long": {"Priority": 1, "MaxWall": "7-00:00:00"},
        "strict": {
            "Priority": 20, "MaxWall": "00:30:00", "MaxTRESPerJob": "cpu=8,gres/gpu=1", "MinTRESPerJob": "cpu=2",
            "Flags": "DenyOnLimit",
        },
        "capped": {"Priority": 5, "MaxJobsPerUser": 1, "MaxSubmitJobsPerUser": 2, "MaxTRESPerJob": "cpu=16"},
        "highprio": {"Priority": 1000, "MaxTRESPerUser": "gres/gpu=8", "Preempt": "scavenger"},
    },
    "accounts": {
        "research": {}, "ops": {},
        "vision": {
            "parent": "research",
            "users": {"*": {"QOS": "normal,gpu,short,long,highprio,scavenger,strict,capped", "DefaultQOS": "normal"}},
        },
        "nlp": {"parent": "research", "users": {"*": {"QOS": "normal,short", "DefaultQOS": "short"}}},
        "guest": {
            "users": {"*": {"QOS": "normal", "MaxJobs": 1, "MaxSubmitJobs": 3, "MaxWall": "02:00:00", "GrpTRES": "cpu=8"}}
        },
    },
    "default_account": "vision",
}  # fmt: skip


class TestbedError(RuntimeError):
    """What failed, and where to look."""


def born(pid: int) -> str | None:
    """When a process started; None when it is gone (a zombie is)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


class Testbed:
    """One cluster in one state folder."""

    def __init__(self, state: Path, port: int = PORT, cluster: str = "testbed", enforce: str = "NO") -> None:
        self.state, self.port, self.cluster, self.enforce = state.resolve(), port, cluster, enforce
        self.etc, self.run, self.log = (self.state / name for name in ("etc", "run", "log"))
        self.conf = self.etc / "slurm.conf"
        self.accounting = False

    @property
    def env(self) -> dict[str, str]:
        """The environment in which Slurm's commands talk to this cluster."""
        return {**os.environ, "SLURM_CONF": str(self.conf)}

    @property
    def version(self) -> tuple[int, ...]:
        """That of Slurm: (22, 5, 8)."""
        return tuple(int(part) for part in self.command("slurmctld", "-V").stdout.split()[-1].split("."))

    def command(
        self, *argv: str, timeout: float = 60, check: bool = True, user: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run one of Slurm's commands against this cluster, as another user if named."""
        done = subprocess.run(
            argv, env=self.env, text=True, capture_output=True, timeout=timeout, check=False,
            user=user, group=user, extra_groups=[] if user else None, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if check and done.returncode:
            raise TestbedError(f"{' '.join(argv[:6])}: {(done.stderr or done.stdout).strip()[:400]}; logs: {self.log}")
        return done

    # -- daemons -----------------------------------------------------------------------------------------------

    def alive(self, name: str) -> int | None:
        """The pid of a daemon that we started and that still is that process."""
        try:
            pid, when = (self.run / f"{name}.daemon").read_text().split()
        except (OSError, ValueError):
            return None
        return int(pid) if born(int(pid)) == when else None

    def start(self, name: str, *argv: str, user: str | None = None) -> None:
        """Start a daemon in the foreground of its own session and remember which process it is."""
        if self.alive(name):
            return
        with (self.log / f"{name}.out").open("ab") as out:
            process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True, user=user, group=user,
                extra_groups=[] if user else None, env={**self.env, "LC_ALL": "C"},
            )  # fmt: skip
        (self.run / f"{name}.daemon").write_text(f"{process.pid} {born(process.pid)}")

    def stop(self, *names: str, patience: float = 15) -> None:
        """Ask daemons to end, all at once, then insist."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            for name in names:
                if pid := self.alive(name):
                    os.kill(pid, number)
            deadline = time.monotonic() + patience
            while time.monotonic() < deadline and any(self.alive(name) for name in names):
                time.sleep(0.03)
                self.reap()
        for name in names:
            (self.run / f"{name}.daemon").unlink(missing_ok=True)

    @staticmethod
    def reap() -> None:
        """Collect children that ended, so that they do not stay as zombies of this process."""
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return

    def wait(self, what: str, seconds: float, ready: object) -> None:
        """Wait until a condition holds; a daemon of that name that has ended will not come up any more."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if ready():  # type: ignore[operator]
                return
            if (self.run / f"{what}.daemon").exists() and not self.alive(what):
                out = (self.log / f"{what}.out").read_text(errors="replace").strip().splitlines()[-3:]
                raise TestbedError(f"{what} ended (is its port taken?): {' '.join(out)}; logs: {self.log}")
            time.sleep(0.05)
        raise TestbedError(f"{what} did not come up within {seconds:g} s; logs: {self.log}")

    def answers(self, *argv: str, like: str = "") -> bool:
        """Whether a command succeeds and prints what is looked for."""
        done = self.command(*argv, check=False)
        return done.returncode == 0 and re.search(like, done.stdout) is not None

    # -- configuration -----------------------------------------------------------------------------------------

    def folders(self) -> None:
        """Make the folders that the daemons need, each for its own user."""
        for path in (self.state, self.etc, self.run, self.log, self.state / "slurmd"):
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(0o755)
        for name, user in (("ctld", "slurm"), ("munge", "munge"), ("mysql", "mysql")):
            (self.state / name).mkdir(exist_ok=True)
            (self.state / name).chmod(0o755)
            shutil.chown(self.state / name, user)
        shutil.chown(self.log, "slurm")

    def configure(self, description: dict, *, controller_only: bool) -> None:
        """Write slurm.conf, gres.conf and the rest from a description."""
        self.accounting = bool(description.get("accounts") or description.get("qos"))
        kinds = sorted({kind for node in description["nodes"] for kind in gres_types(node.get("Gres", ""))})
        lines = [f"{key}={value}" for key, value in self.settings(description, kinds, controller_only).items()]
        port = self.port + 10
        for node in description["nodes"]:
            for name in expand(str(node["NodeName"])):
                pairs = {**node, "NodeName": name}
                if controller_only:
                    pairs["State"] = "CLOUD"
                else:
                    pairs |= {"NodeHostname": "localhost", "NodeAddr": "127.0.0.1", "Port": port, "State": "UNKNOWN"}
                    (self.state / "slurmd" / name).mkdir(exist_ok=True)
                port += 1
                lines.append(" ".join(f"{key}={value}" for key, value in pairs.items()))
        lines.append("PartitionName=DEFAULT State=UP" + ("" if controller_only else " DefaultTime=01:00:00"))
        lines += [" ".join(f"{key}={value}" for key, value in one.items()) for one in description["partitions"]]
        self.conf.write_text("\n".join(lines) + "\n")
        (self.etc / "gres.conf").write_text(
            "AutoDetect=off\n" + "\n".join(self.gres(description, controller_only)) + "\n"
        )
        (self.etc / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n")
        (self.state / "env").write_text(f"export SLURM_CONF={self.conf}\n")

    def settings(self, description: dict, kinds: list[str], controller_only: bool) -> dict[str, object]:
        """What slurm.conf says before its nodes."""
        tres = ",".join(["gres/gpu", *(f"gres/gpu:{kind}" for kind in kinds)])
        settings: dict[str, object] = {
            "ClusterName": self.cluster, "SlurmctldHost": "localhost(127.0.0.1)", "SlurmctldPort": self.port + 2,
            "SlurmUser": "slurm", "SlurmdUser": "root", "StateSaveLocation": self.state / "ctld",
            "SlurmctldPidFile": self.run / "slurmctld.pid", "SlurmctldLogFile": self.log / "slurmctld.log",
            "SlurmdSpoolDir": self.state / "slurmd" / "%n", "SlurmdPidFile": self.run / "slurmd-%n.pid",
            "SlurmdLogFile": self.log / "slurmd-%n.log", "AuthType": "auth/munge", "CredType": "cred/munge",
            # a requeued job waits for cred_expire before it may start again: 120 s unless told
            "AuthInfo": f"socket={self.state}/munge/socket,cred_expire=10",
            "SlurmdParameters": "config_overrides", "ReturnToService": 2, "ProctrackType": "proctrack/linuxproc",
            "TaskPlugin": "task/none", "JobAcctGatherType": "jobacct_gather/linux", "JobAcctGatherFrequency": 5,
            # without cgroups this alone ends a job over its --mem
            "JobAcctGatherParams": "OverMemoryKill", "SwitchType": "switch/none", "MpiDefault": "none",
            "MailProg": "/bin/true", "PropagateResourceLimits": "NONE", "SelectType": "select/cons_tres",
            "SelectTypeParameters": "CR_Core_Memory", "SchedulerType": "sched/backfill",
            "SchedulerParameters": "bf_interval=5,sched_interval=5,bf_continue,bf_max_job_test=1000,batch_sched_delay=0",
            "PriorityType": "priority/multifactor", "PriorityWeightQOS": 10000, "PreemptType": "preempt/qos",
            "PreemptMode": "REQUEUE", "EnforcePartLimits": self.enforce,
            "DependencyParameters": "kill_invalid_depend", "MaxArraySize": 10001, "MaxJobCount": 50000,
            "MinJobAge": 300, "KillWait": 5, "JobRequeue": 1, "GresTypes": "gpu",
        }  # fmt: skip
        if self.accounting:
            settings |= {
                "AccountingStorageType": "accounting_storage/slurmdbd", "AccountingStorageHost": "127.0.0.1",
                "AccountingStoragePort": self.database_port + 1,
                "AccountingStoragePass": self.state / "munge" / "socket",
                "AccountingStorageEnforce": "associations,limits,qos", "AccountingStorageTRES": tres,
                "AccountingStoreFlags": "job_comment",
            }  # fmt: skip
        if controller_only:
            settings |= {
                "SuspendProgram": "/bin/true", "ResumeProgram": "/bin/true", "SuspendTime": 86400, "ResumeTimeout": 600,
                "PrivateData": "cloud", "SlurmdTimeout": 0, "TaskPlugin": "task/affinity", "PreemptType": "preempt/none", "PreemptMode": "OFF",
            }  # fmt: skip
        return {**settings, **description.get("config", {})}

    @property
    def database_port(self) -> int:
        """Where MariaDB listens; slurmdbd is one above."""
        return self.port

    def gres(self, description: dict, controller_only: bool) -> list[str]:
        """The lines of gres.conf; a GPU is a character device, so that CUDA_VISIBLE_DEVICES is set."""
        lines = []
        (self.state / "dev").mkdir(exist_ok=True)
        for node in description["nodes"]:
            first = 0
            for kind, count in gres_counts(str(node.get("Gres", ""))):
                typed = f" Type={kind}" if kind else ""
                place = f"Count={count}" if controller_only else f"File={self.device(first, count)}"
                lines.append(f"NodeName={node['NodeName']} Name=gpu{typed} {place}")
                first += count
        return lines

    def device(self, first: int, count: int) -> str:
        """Device files whose numbers are what CUDA_VISIBLE_DEVICES gets."""
        for number in range(first, first + count):
            path = self.state / "dev" / f"nvidia{number}"
            if not path.exists():
                os.mknod(path, 0o020666, os.makedev(1, 3))
        return (
            f"{self.state}/dev/nvidia[{first}-{first + count - 1}]" if count > 1 else f"{self.state}/dev/nvidia{first}"
        )

    # -- up and down -------------------------------------------------------------------------------------------

    def up(self, description: dict | None = None, *, controller_only: bool = False) -> None:
        """Start what is not running: munged, MariaDB and slurmdbd where there are accounts, slurmctld, slurmd."""
        if os.geteuid():
            raise TestbedError("a test bed needs root: its daemons run as several users")
        missing = [name for name in COMMANDS if shutil.which(name) is None]
        if missing:
            raise TestbedError(f"not installed: {', '.join(missing)}; run: tools/slurm-testbed install")
        fresh = not self.conf.exists()
        description = description or FULL
        self.folders()
        if fresh:
            self.configure(description, controller_only=controller_only)
        else:
            self.accounting = "accounting_storage/slurmdbd" in self.conf.read_text()
            controller_only = "State=CLOUD" in self.conf.read_text()
        self.munge()
        if self.accounting:
            self.database()
            if not (self.state / "accounts").exists():  # a partition that names a QoS needs it to be there
                self.sacctmgr("add", "qos", ",".join(["normal", *description.get("qos", {})]), unchanged=True)
        self.start("slurmctld", shutil.which("slurmctld") or "slurmctld", "-D")
        if not controller_only:
            for name in self.node_names():
                self.start(f"slurmd-{name}", shutil.which("slurmd") or "slurmd", "-D", "-N", name)
        self.wait("slurmctld", 30, lambda: self.answers("scontrol", "ping", like="UP"))
        if self.accounting and not (self.state / "accounts").exists():
            self.wait("the TRES of GPUs", 30, lambda: self.answers("sacctmgr", "-nP", "show", "tres", like="gpu"))
            self.accounts(description)
            (self.state / "accounts").touch()
        if not controller_only:
            self.wait("every node", 60, self.nodes_ready)

    def node_names(self) -> list[str]:
        """The nodes of slurm.conf."""
        return re.findall(r"^NodeName=(\S+)", self.conf.read_text(), re.M)

    def nodes_ready(self) -> bool:
        """Whether every node has registered and can run jobs."""
        done = self.command("sinfo", "-h", "-a", "-N", "-o", "%N %T", check=False)
        states = dict(line.split() for line in done.stdout.splitlines() if len(line.split()) == 2)
        waiting = ("unk", "down", "*")
        return len(states) == len(self.node_names()) and not any(w in s for s in states.values() for w in waiting)

    def munge(self) -> None:
        """A munged of our own, apart from the system's."""
        folder = self.state / "munge"
        key = folder / "key"
        if not key.exists():
            key.write_bytes(os.urandom(1024))
            shutil.chown(key, "munge")
            key.chmod(0o600)
        self.start(
            "munged", "/usr/sbin/munged", "--foreground", "--num-threads=4", f"--key-file={key}",
            f"--socket={folder}/socket", f"--pid-file={folder}/pid", f"--log-file={folder}/log",
            f"--seed-file={folder}/seed", user="munge",
        )  # fmt: skip
        self.wait("munged", 15, lambda: self.answers("munge", "-n", "-S", f"{folder}/socket"))

    def database(self) -> None:
        """MariaDB and slurmdbd, and this cluster in them."""
        data, socket = self.state / "mysql" / "data", self.state / "mysql" / "socket"
        if not (data / "mysql").exists():
            self.command(
                "mariadb-install-db", "--no-defaults", "--user=mysql", f"--datadir={data}",
                f"--tmpdir={socket.parent}",  # another one that starts there removes the temporary tables of this one
                "--auth-root-authentication-method=normal", "--skip-test-db",
            )  # fmt: skip
        self.start(
            "mariadbd", "/usr/sbin/mariadbd", "--no-defaults", "--user=mysql", f"--datadir={data}",
            f"--socket={socket}", f"--port={self.database_port}", "--bind-address=127.0.0.1",
            f"--pid-file={self.state}/mysql/pid", "--innodb-buffer-pool-size=64M", "--innodb-log-file-size=32M",
            "--innodb-lock-wait-timeout=900", "--innodb-flush-log-at-trx-commit=0", "--skip-name-resolve",
            "--performance-schema=OFF", f"--tmpdir={socket.parent}",
        )  # fmt: skip
        sql = ("mariadb", "--no-defaults", f"--socket={socket}", "-u", "root", "-e")
        self.wait("mariadbd", 60, lambda: self.answers(*sql, "select 1"))
        self.command(
            *sql,
            "create database if not exists slurm_acct_db;"
            "create user if not exists 'slurm'@'127.0.0.1' identified by 'testbed';"
            "grant all on slurm_acct_db.* to 'slurm'@'127.0.0.1'",
        )
        conf = self.etc / "slurmdbd.conf"
        conf.write_text(
            f"AuthType=auth/munge\nAuthInfo=socket={self.state}/munge/socket\nDbdHost=localhost\nDbdAddr=127.0.0.1\n"
            f"DbdPort={self.database_port + 1}\nSlurmUser=slurm\nLogFile={self.log}/slurmdbd.log\n"
            f"PidFile={self.run}/slurmdbd.pid\nStorageType=accounting_storage/mysql\nStorageHost=127.0.0.1\n"
            f"StoragePort={self.database_port}\nStorageUser=slurm\nStoragePass=testbed\nStorageLoc=slurm_acct_db\n"
        )
        shutil.chown(conf, "slurm")
        conf.chmod(0o600)
        self.start("slurmdbd", "/usr/sbin/slurmdbd", "-D")
        self.wait("slurmdbd", 30, lambda: self.answers("sacctmgr", "-n", "show", "cluster"))
        if not self.answers("sacctmgr", "-nP", "show", "cluster", "format=cluster", like=rf"(?m)^{self.cluster}$"):
            self.command("sacctmgr", "-i", "add", "cluster", self.cluster)

    def sacctmgr(self, *words: str, unchanged: bool = False) -> None:
        """Change the accounting; `unchanged`: it may be so already."""
        for attempt in range(3):  # the database may give way to another command and ask to be asked again
            done = self.command("sacctmgr", "-i", *words, check=False)
            if done.returncode == 0 or (unchanged and "Nothing new added" in done.stdout + done.stderr):
                return
            time.sleep(0.2 * attempt)
        raise TestbedError(f"sacctmgr {' '.join(words)}: {done.stdout.strip()} {done.stderr.strip()}")

    def accounts(self, description: dict) -> None:
        """Limits of QoS, and accounts; a sacctmgr command takes 0.4 s whatever the machine, so many at once."""

        def pairs(limits: dict) -> list[str]:
            return [f"{key}={value}" for key, value in limits.items()]

        qos = description.get("qos", {})
        accounts = description.get("accounts", {})
        default = description.get("default_account")
        parents: dict[str, list[str]] = {}
        for name, account in accounts.items():
            parents.setdefault(account.get("parent", "root"), []).append(name)
        with ThreadPoolExecutor(8) as pool:
            for parent in sorted(parents, key=lambda name: name != "root"):
                names = ",".join(parents[parent])
                self.sacctmgr("add", "account", names, f"Parent={parent}", "Description=lab", "Organization=lab")
            jobs = [("modify", "qos", name, "set", *pairs(limits)) for name, limits in qos.items() if limits]
            jobs += [
                ("modify", "account", name, "set", *pairs(account["limits"]))
                for name, account in accounts.items()
                if account.get("limits")
            ]
            list(pool.map(lambda job: self.sacctmgr(*job), jobs))
            users = [
                (
                    "add",
                    "user",
                    "root" if user == "*" else user,
                    f"Account={name}",
                    *(["DefaultAccount=" + name] if name == default else []),
                    *pairs(limits),
                )
                for name in sorted(accounts, key=lambda one: one != default)
                for user, limits in accounts[name].get("users", {}).items()
            ]
            for job in users[:1]:  # the first makes the user
                self.sacctmgr(*job)
            list(pool.map(lambda job: self.sacctmgr(*job), users[1:]))

    def down(self) -> None:
        """Stop what was started, clients before what they need."""
        if not self.run.is_dir():
            return
        names = sorted(path.stem for path in self.run.glob("*.daemon"))
        self.stop(*(name for name in names if name.startswith("slurmd-")), "slurmctld")
        for name in ("slurmdbd", "mariadbd", "munged"):
            self.stop(name)

    def replace(self, description: dict) -> None:
        """Another controller-only cluster in place of this one; munged and MariaDB stay, their data does not."""
        self.stop("slurmctld", "slurmdbd", patience=5)
        shutil.rmtree(self.state / "ctld", ignore_errors=True)
        for path in (self.conf, self.state / "accounts"):
            path.unlink(missing_ok=True)
        if self.alive("mariadbd"):
            self.sql("drop database if exists slurm_acct_db")
        self.up(description, controller_only=True)

    def forget(self) -> None:
        """Restart slurmctld without its memory of jobs and of the states of nodes."""
        self.stop("slurmctld", patience=5)
        shutil.rmtree(self.state / "ctld", ignore_errors=True)
        self.up()

    def sql(self, statement: str) -> None:
        """Have the database do something."""
        socket = self.state / "mysql" / "socket"
        self.command("mariadb", "--no-defaults", f"--socket={socket}", "-u", "root", "-e", statement)

    def wipe(self) -> None:
        """Stop, and remove the state; nothing that is not a test bed's is removed."""
        self.down()
        if self.state in (Path("/"), Path("/tmp"), Path.home()):
            raise TestbedError(f"not removing {self.state}")
        if (self.etc / "slurm.conf").exists() or (self.run).is_dir():
            shutil.rmtree(self.state)

    def status(self) -> dict:
        """Which daemons run, and what sinfo says."""
        names = sorted(path.stem for path in self.run.glob("*.daemon")) if self.run.is_dir() else []
        running = {name: self.alive(name) for name in names}
        sinfo = self.command("sinfo", "-a", check=False).stdout if running.get("slurmctld") else ""
        return {"state": str(self.state), "env": str(self.state / "env"), "daemons": running, "sinfo": sinfo}


# -- asking a controller ---------------------------------------------------------------------------------------


class Verdict:
    """What a controller did with one request: `state` is CF (it would start), PD, or REFUSED, with the reason."""

    def __init__(self, state: str, reason: str, nodes: str = "") -> None:
        self.state, self.reason, self.nodes = state, reason, nodes

    @property
    def starts(self) -> bool:
        """Whether the job would start on an idle cluster."""
        return self.state in ("CF", "R", "CG", "CD")

    def __repr__(self) -> str:
        return f"{self.state} {self.reason} {self.nodes}".strip()


UNSETTLED = re.compile(r"|None|Priority|Resources|BeginTime|Nodes.required.*|ReqNodeNotAvail.*")
"""Reasons that a job may have while slurmctld has not come to it yet."""
SHARED = re.compile(r".*(PerUser|PerAccount|MaxGRES$|Grp|MaxJobs|MaxSubmit).*")
"""Reasons that other jobs may be the cause of: asked again alone."""


def ask(testbed: Testbed, flags: list[str], patience: float = 3.0, user: str | None = None) -> Verdict:
    """Submit a request, see what becomes of it on the idle cluster, and take it back."""
    return ask_all(testbed, [flags], patience, user)[0]


def ask_all(
    testbed: Testbed, requests: list[list[str]], patience: float = 3.0, user: str | None = None, together: int = 12
) -> list[Verdict]:
    """Verdicts on many requests, a few at a time; one that another may have kept waiting is asked again alone."""
    with ThreadPoolExecutor(together) as pool:
        first = list(pool.map(lambda flags: _asked(testbed, flags, 1.3, user, alone=together == 1), requests))
    return [
        verdict or _asked(testbed, flags, patience, user, alone=True)  # type: ignore[misc]
        for verdict, flags in zip(first, requests, strict=True)
    ]


def _asked(testbed: Testbed, flags: list[str], patience: float, user: str | None, alone: bool) -> Verdict | None:
    """The verdict on one request; None where it is not sure because other jobs may be the cause."""
    argv = ["sbatch", "--parsable", "-D", "/tmp", "-o", "/dev/null", *flags, "--wrap", "true"]
    done = testbed.command(*argv, check=False, user=user)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        return Verdict("REFUSED", lines[-1].removeprefix("sbatch: error: ") if lines else "?")
    job = done.stdout.strip().partition(";")[0]
    deadline = time.monotonic() + patience
    try:
        while True:
            row = testbed.command("squeue", "-h", "-a", "-j", job, "-o", "%t|%N|%r", check=False).stdout.strip()
            state, nodes, reason = ([*row.split("|", 2), "", ""])[:3] if row else ("GONE", "", "")
            settled = state != "PD" or not UNSETTLED.fullmatch(reason)
            if settled or time.monotonic() > deadline:
                sure = alone or (settled and not SHARED.fullmatch(reason))
                return Verdict(state, reason, nodes) if sure else None
            time.sleep(0.03)
    finally:
        testbed.command("scancel", job, check=False)


def expand(text: str) -> list[str]:
    """The names of a simple host list: ``rtx-[01-02]``."""
    found = re.fullmatch(r"(.*)\[(\d+)-(\d+)\]", text)
    if not found:
        return [text]
    width = len(found[2])
    return [f"{found[1]}{number:0{width}}" for number in range(int(found[2]), int(found[3]) + 1)]


def gres_counts(text: str) -> list[tuple[str, int]]:
    """(type, count) of each GPU entry; the type is "" for an untyped one."""
    found = []
    for item in filter(None, text.split(",")):
        parts = item.split(":")
        found.append((parts[1] if len(parts) == 3 else "", int(parts[-1])))
    return found


def gres_types(text: str) -> list[str]:
    """The GPU types that a Gres= names."""
    return [kind for kind, _ in gres_counts(str(text)) if kind]


def install() -> int:
    """Install Debian's packages, saying so; the exit status says whether they are there."""
    if all(shutil.which(name) for name in COMMANDS):
        return 0
    if os.environ.get("LAUNCHERS_NO_INSTALL") or os.geteuid() or shutil.which("apt-get") is None:
        print(f"slurm-testbed: not installed: {' '.join(PACKAGES)} (apt-get install, as root)", file=sys.stderr)
        return 1
    print(
        f"slurm-testbed: installing {' '.join(PACKAGES)} with apt-get (LAUNCHERS_NO_INSTALL=1 opts out)",
        file=sys.stderr,
    )
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for argv in (["apt-get", "update", "-q"], ["apt-get", "install", "-y", "-q", "--no-install-recommends", *PACKAGES]):
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            print(
                f"slurm-testbed: {' '.join(argv)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}", file=sys.stderr
            )
            return 1
    return 0


def main(argv: list[str] | None = None) -> int:
    """The command line."""
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("install", "up", "down", "status", "env", "wipe"))
    parser.add_argument("--state", type=Path, default=DEFAULT)
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--cluster", default="testbed")
    parser.add_argument("--enforce", choices=("NO", "ANY", "ALL"), default="NO")
    parser.add_argument("--controller-only", action="store_true")
    parser.add_argument("--describe", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    if options.command == "install":
        return install()
    testbed = Testbed(options.state, options.port, options.cluster, options.enforce)
    try:
        if options.command == "up":
            started = time.monotonic()
            description = json.loads(options.describe.read_text()) if options.describe else None
            testbed.up(description, controller_only=options.controller_only)
            print(f"up in {time.monotonic() - started:.1f} s; clients: . {testbed.state}/env")
        elif options.command == "status":
            status = testbed.status()
            if options.json:
                print(json.dumps(status, indent=2))
            else:
                for name, pid in status["daemons"].items():
                    print(f"{name:16} {pid or 'down'}")
                print(status["sinfo"], end="")
        elif options.command == "env":
            print((testbed.state / "env").read_text(), end="")
        else:
            getattr(testbed, options.command)()
    except (TestbedError, OSError, ValueError) as error:
        print(f"slurm-testbed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
