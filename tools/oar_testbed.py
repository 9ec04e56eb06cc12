"""A real OAR on one machine, for tests and for trying things: no systemd, Debian's packages, root.

    tools/oar-testbed install            install Debian's packages (LAUNCHERS_NO_INSTALL=1: only say which)
    tools/oar-testbed up                 start a cluster of 5 simulated nodes, none of them with a job; what runs
                                         already is left alone
    tools/oar-testbed status [--json]    daemons and nodes
    tools/oar-testbed env                what is set for the user of `as-user`, for a shell to read
    tools/oar-testbed as-user CMD...     run a command as the test bed's user: OAR takes no jobs from root
    tools/oar-testbed python             a Python with launchers in it that this user can run: .venv's, if it is not
                                         hidden in somebody's home, else one that is made
    tools/oar-testbed down               delete the jobs that are left and stop what was started
    tools/oar-testbed wipe               down, remove the state and the user, and put back what was edited

There is one OAR per machine: its setuid commands read /etc/oar/oar.conf and nothing else, so `up` edits that file
and a second one says that it is taken.  Everything listens on 127.0.0.1 only.  Jobs are plain processes: OAR's
cgroup manager is left off, as it removes every file of the user in /tmp, /var/tmp and /dev/shm when the last of his
jobs ends.
"""

from __future__ import annotations

import argparse
import json
import os
import pwd
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from slurm_testbed import TestbedError, born

PACKAGES = ("oar-server", "oar-server-pgsql", "oar-user", "oar-user-pgsql", "oar-node", "openssh-server", "postgresql")
COMMANDS = ("oarsub", "oarstat", "oarnodes", "oarnodesetting", "oarproperty", "oar-database", "oar-server", "sshd")
ROOT = Path(__file__).resolve().parents[1]
STATE = Path("/var/lib/launchers-oar-testbed")
"""Not in /tmp, where a cgroup manager of OAR's would remove the user's files."""
USER = "launchers-oar"
SERVER, SSH, POSTGRES = 6666, 6667, 15432
CONF, ALMIGHTY, HOSTS = Path("/etc/oar/oar.conf"), Path("/usr/lib/oar/Almighty"), Path("/etc/hosts")
LOG, PID = Path("/var/log/oar.log"), Path("/run/oar-server.pid")
MARK = "# launchers-oar-testbed"
os.environ["PATH"] = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"

PROPERTIES = {
    "cpu": int, "core": int, "gpu": int, "gpudevice": int, "gpu_count": int, "gpu_mem": int, "memnode": int,
    "memcore": int, "thread_count": int, "host": str, "cluster": str, "gpu_model": str, "cputype": str,
    "production": str,
}  # fmt: skip
"""What the nodes have beside OAR's own properties: Grid'5000's names."""
NODES = [
    {"host": "volta-1", "cores": 4, "memnode": 65536, "gpus": 2, "gpu_model": "Tesla V100", "gpu_mem": 32768},
    {"host": "pascal-1", "cores": 4, "memnode": 65536, "gpus": 2, "gpu_model": "Tesla P100", "gpu_mem": 16384},
    {"host": "plain-1", "cores": 4, "memnode": 32768},
    {"host": "plain-2", "cores": 4, "memnode": 32768},
    {"host": "ampere-1", "cores": 4, "memnode": 131072, "gpus": 4, "gpu_model": "A100", "gpu_mem": 40960, "deploy": True},
]  # fmt: skip
SETTINGS = {
    "DB_TYPE": "Pg", "DB_HOSTNAME": "127.0.0.1", "DB_PORT": POSTGRES, "DB_BASE_NAME": "oar", "DB_BASE_LOGIN": "oar",
    "DB_BASE_PASSWD": "oarpw", "DB_BASE_LOGIN_RO": "oar_ro", "DB_BASE_PASSWD_RO": "oarropw",
    "SERVER_HOSTNAME": "localhost", "SERVER_PORT": SERVER, "OPENSSH_CMD": f"/usr/bin/ssh -p {SSH} -e none",
    "COSYSTEM_HOSTNAME": "127.0.0.1", "DEPLOY_HOSTNAME": "127.0.0.1",
    # schedule at once: Debian's delays make every job wait five to fifteen seconds
    "SCHEDULER_MIN_TIME_BETWEEN_2_CALLS": 0, "SCHEDULER_JOB_SECURITY_TIME": 1, "SCHEDULER_GANTT_HOLE_MINIMUM_TIME": 1,
    "PINGCHECKER_GENERIC_COMMAND": "/bin/true",
}  # fmt: skip
UNSET = ("PINGCHECKER_SENTINELLE_SCRIPT_COMMAND", "JOB_RESOURCE_MANAGER_PROPERTY_DB_FIELD", "CPUSET_PATH")
ADMIN = "adminpw"
"""Passwords of a database that listens on loopback and lives as long as the test bed."""
SSHD = f"""Port {SSH}
ListenAddress 127.0.0.1
HostKey /etc/oar/oar_ssh_host_rsa_key
PermitRootLogin no
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
MaxStartups 1024
PrintMotd no
PrintLastLog no
AcceptEnv OAR_CPUSET OAR_USER_CPUSET OAR_USER_GPUDEVICE OAR_JOB_USER
PermitUserEnvironment yes
AllowUsers oar
"""


class Testbed:
    """The one OAR of this machine, in one state folder."""

    def __init__(self, state: Path = STATE) -> None:
        self.state = state.resolve()
        self.run, self.log, self.home, self.data = (
            self.state / name for name in ("run", "log", "home", "postgres/data")
        )

    # -- commands ----------------------------------------------------------------------------------------------

    def command(
        self, *argv: str, timeout: float = 120, check: bool = True, user: str | None = None, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command, as another user if named."""
        done = subprocess.run(
            argv, text=True, capture_output=True, timeout=timeout, check=False, stdin=subprocess.DEVNULL, cwd=cwd,
            user=user, group=user, extra_groups=[] if user else None,
            env=self.env if user == USER else {**os.environ, "LC_ALL": "C"},
        )  # fmt: skip
        if check and done.returncode:
            raise TestbedError(f"{' '.join(argv[:6])}: {(done.stderr or done.stdout).strip()[:600]}; logs: {self.log}")
        return done

    @property
    def env(self) -> dict[str, str]:
        """The environment of the test bed's user; what is the caller's own is left out."""
        own = {
            "HOME": str(self.home),
            "USER": USER,
            "LOGNAME": USER,
            "SHELL": "/bin/bash",
            "TMPDIR": str(self.home / "tmp"),
        }
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("XDG_", "SUDO_", "MAIL"))}
        return {**kept, **own}

    def as_user(self, argv: list[str]) -> int:
        """Become the test bed's user and the command."""
        if pwd.getpwuid(os.geteuid()).pw_name != USER:
            account = pwd.getpwnam(USER)
            os.setgroups([])
            os.setresgid(account.pw_gid, account.pw_gid, account.pw_gid)
            os.setresuid(account.pw_uid, account.pw_uid, account.pw_uid)
        os.execvpe(argv[0], argv, self.env)

    def python(self) -> Path:
        """A Python that the user can run, with this project and its tools for development."""
        ours = ROOT / ".venv" / "bin" / "python"
        if self.runs(ours):
            return ours
        made = self.state / "venv" / "bin" / "python"
        sources = [ROOT / "pyproject.toml", ROOT / "requirements.lock"]
        stale = not made.exists() or made.lstat().st_mtime < max(path.stat().st_mtime for path in sources)
        if stale or not self.has_ours(made):
            base = next(
                (path for path in map(Path, ("/usr/bin/python3", "/usr/local/bin/python3")) if self.runs(path)), None
            )
            if base is None:
                raise TestbedError(f"{USER} can run no Python 3.11 or later: neither {ours} nor one in /usr")
            self.command(str(base), "-m", "venv", "--without-pip", "--clear", str(made.parents[1]))
            self.command(str(ROOT / "tools" / "install"), str(made), timeout=900)
            if not self.has_ours(made):
                raise TestbedError(f"{USER} cannot read {ROOT}: it has to be a folder that everybody may enter")
        return made

    def has_ours(self, python: Path) -> bool:
        """Whether the user can import this checkout's launchers with a Python, and not another one's."""
        code = f"import launchers, sys; sys.exit(not launchers.__file__.startswith({str(ROOT / 'src')!r}))"
        try:
            return self.command(str(python), "-c", code, check=False, user=USER, cwd=Path("/")).returncode == 0
        except OSError:
            return False

    def runs(self, python: Path) -> bool:
        """Whether the user can run a Python, and it is new enough."""
        code = "import sys; sys.exit(sys.version_info < (3, 11))"
        try:
            return self.command(str(python), "-c", code, check=False, user=USER, cwd=Path("/")).returncode == 0
        except OSError:
            return False

    @property
    def version(self) -> tuple[int, ...]:
        """That of OAR: (2, 5, 9)."""
        said = self.command("oarnodes", "--version").stdout
        found = re.search(r"\d+(?:\.\d+)+", said)
        if found is None:
            raise TestbedError(f"oarnodes --version: {said.strip()}")
        return tuple(int(part) for part in found[0].split("."))

    def sql(self, statement: str) -> str:
        """What OAR's database answers."""
        url = f"postgresql://oar:{SETTINGS['DB_BASE_PASSWD']}@127.0.0.1:{POSTGRES}/oar"
        return self.command("psql", "-qAtX", url, "-c", statement).stdout.strip()

    # -- daemons -----------------------------------------------------------------------------------------------

    def alive(self, path: Path) -> int | None:
        """The process that a pid file names, if it runs (a zombie does not)."""
        try:
            pid = int(path.read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return None
        return pid if born(pid) else None

    @property
    def daemons(self) -> dict[str, int | None]:
        """What was started here, by name."""
        files = {"postgres": self.data.parent / "pid", "sshd": self.run / "sshd.pid", "almighty": PID}
        return {name: self.alive(path) for name, path in files.items()}

    def listens(self, port: int) -> bool:
        """Whether something answers on a port of this machine."""
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def wait(self, what: str, seconds: float, ready: object) -> None:
        """Wait until a condition holds."""
        deadline = time.monotonic() + seconds
        while not ready():  # type: ignore[operator]
            if time.monotonic() > deadline:
                raise TestbedError(f"{what} did not come up within {seconds:g} s; logs: {self.log}, {LOG}")
            time.sleep(0.05)

    # -- up ----------------------------------------------------------------------------------------------------

    def up(self) -> None:
        """Start what does not run yet, and prove it with a job."""
        if os.geteuid():
            raise TestbedError("a test bed needs root")
        for name, port in (("almighty", SERVER), ("sshd", SSH), ("postgres", POSTGRES)):
            if not self.daemons[name] and self.listens(port):
                raise TestbedError(f"port {port} is taken: there is one OAR per machine, and another one runs here")
        if all(self.daemons.values()):
            return
        for path in (self.state, self.run, self.log):
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(0o755)
        self.user()
        self.postgres()
        self.configure()
        self.database()
        self.sshd()
        self.almighty()
        self.resources()
        self.prove()

    def user(self) -> None:
        """The user whose jobs run, with a home and a TMPDIR of his own."""
        try:
            pwd.getpwnam(USER)
        except KeyError:
            self.command("useradd", "--home-dir", str(self.home), "--shell", "/bin/bash", "--no-create-home", USER)
        for path in (self.home, self.home / "tmp"):
            path.mkdir(exist_ok=True)
            shutil.chown(path, USER, USER)
            path.chmod(0o755)
        (self.home / ".bashrc").touch()  # the shell of every job reads it

    @property
    def binaries(self) -> Path:
        """Where Debian keeps the server programs of PostgreSQL."""
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
        if not found:
            raise TestbedError("no PostgreSQL in /usr/lib/postgresql: tools/oar-testbed install")
        return found[-1]

    def postgres(self) -> None:
        """A database server of our own, empty: what was killed leaves Suspected nodes and jobs without an end."""
        if self.daemons["postgres"]:
            return
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(mode=0o700, parents=True)
        password = self.run / "password"  # initdb cannot read a pipe of root's
        password.write_text(ADMIN)
        for path in (self.data.parent, self.data, password):
            shutil.chown(path, "postgres", "postgres")
        self.command(
            str(self.binaries / "initdb"), "-D", str(self.data), "-A", "scram-sha-256", "-U", "postgres",
            "-E", "UTF8", "--locale=C", f"--pwfile={password}", user="postgres", cwd=self.data,
        )  # fmt: skip
        password.unlink()
        options = (
            f"-c listen_addresses=127.0.0.1 -c port={POSTGRES} -c unix_socket_directories={self.data} -c fsync=off "
            f"-c external_pid_file={self.data.parent}/pid -c synchronous_commit=off -c shared_buffers=32MB "
            "-c max_connections=200"
        )
        out = self.data / "server.log"  # a pipe would stay open as long as the server
        self.command(
            str(self.binaries / "pg_ctl"), "-D", str(self.data), "-w", "-t", "30", "-l", str(out), "-o", options,
            "-s", "start", user="postgres", cwd=self.data,
        )  # fmt: skip

    def configure(self) -> None:
        """Edit OAR's configuration; what was there is kept beside it for `wipe`."""
        for path in (CONF, ALMIGHTY):
            kept = path.with_name(path.name + ".before-testbed")
            if not kept.exists():
                shutil.copy2(path, kept)
                shutil.copystat(path, kept)
        text = CONF.with_name(CONF.name + ".before-testbed").read_text()
        lines = [line for line in text.splitlines() if not re.match(rf"#?\s*({'|'.join((*SETTINGS, *UNSET))})=", line)]
        lines += [f'{key}="{value}"' for key, value in SETTINGS.items()]
        CONF.write_text("\n".join(lines) + "\n")
        shutil.chown(CONF, "oar")
        CONF.chmod(0o600)
        # the server listens on all addresses, and has no setting for that
        program = ALMIGHTY.read_text()
        if "LocalAddr" not in program:
            edited, places = re.subn(r"(INET->new\(\s*)LocalPort", r'\1LocalAddr => "127.0.0.1", LocalPort', program)
            if places != 1:
                raise TestbedError(f"{ALMIGHTY} is not as expected: it would listen on all addresses")
            ALMIGHTY.write_text(edited)
        self.names()

    def names(self, *, remove: bool = False) -> None:
        """The nodes in /etc/hosts: all of them are this machine."""
        lines = [line for line in HOSTS.read_text().splitlines() if not line.endswith(MARK)]
        if not remove:
            known = {word for line in lines for word in line.split()[1:]}
            wanted = [node["host"] for node in NODES] + [socket.gethostname()]
            lines += [f"127.0.0.1 {name} {MARK}" for name in wanted if name not in known]
        HOSTS.write_text("\n".join(lines) + "\n")

    def database(self) -> None:
        """OAR's tables."""
        if self.command("oar-database", "--check", check=False).returncode == 0:
            return
        self.command(
            "oar-database", "--create", "-y", "--db-host", "127.0.0.1", "--db-port", str(POSTGRES),
            "--db-admin-user", "postgres", "--db-admin-pass", ADMIN,
        )  # fmt: skip

    def sshd(self) -> None:
        """The sshd of the nodes, by which OAR starts jobs."""
        if self.daemons["sshd"]:
            return
        Path("/run/sshd").mkdir(exist_ok=True)
        config = self.run / "sshd_config"
        config.write_text(SSHD)
        out = str(self.log / "sshd.log")
        self.command(str(shutil.which("sshd")), "-f", str(config), "-o", f"PidFile={self.run / 'sshd.pid'}", "-E", out)

    def almighty(self) -> None:
        """OAR's server."""
        if self.daemons["almighty"]:
            return
        subprocess.run(["oar-server"], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self.wait("Almighty", 15, lambda: self.listens(SERVER))

    def resources(self) -> None:
        """One resource per core, as Grid'5000 has it, with its properties."""
        known = self.command("oarproperty", "-l").stdout.split()
        for name, kind in PROPERTIES.items():
            if name not in known:
                self.command("oarproperty", "-q", *(("-c",) if kind is str else ()), "-a", name)
        if self.sql("select count(*) from resources") != "0":
            return
        core = gpu = 0
        for number, node in enumerate(NODES, 1):
            cores, gpus = int(node["cores"]), int(node.get("gpus", 0))
            for index in range(cores):
                core += 1
                found: dict[str, object] = {
                    "host": node["host"], "cluster": str(node["host"]).partition("-")[0], "cpu": number, "core": core,
                    "cpuset": index % (os.cpu_count() or 1), "thread_count": 1, "memnode": node["memnode"],
                    "memcore": int(node["memnode"]) // cores, "cputype": "Intel Xeon", "gpu_count": gpus,
                    "production": "YES" if gpus else "NO",
                }  # fmt: skip
                if gpus:
                    mine = index * gpus // cores
                    found |= {
                        "gpu": gpu + mine + 1,
                        "gpudevice": mine,
                        "gpu_model": node["gpu_model"],
                        "gpu_mem": node["gpu_mem"],
                    }
                pairs = [word for key, value in found.items() for word in ("-p", f"{key}={value}")]
                self.command("oarnodesetting", "-a", "-h", str(node["host"]), *pairs)
            gpu += gpus
            if node.get("deploy"):
                self.command("oarnodesetting", "-h", str(node["host"]), "-p", "deploy=YES")

    def prove(self) -> None:
        """Run one job."""
        said = self.command(
            "oarsub",
            "-l",
            "/core=1,walltime=0:1:0",
            "-O",
            "/dev/null",
            "-E",
            "/dev/null",
            "true",
            user=USER,
            cwd=self.home,
        )
        found = re.search(r"OAR_JOB_ID=(\d+)", said.stdout)
        if not found:
            raise TestbedError(f"oarsub: {said.stdout}{said.stderr}")
        ended = f"{found[1]}: Terminated"
        self.wait("the first job", 60, lambda: self.command("oarstat", "-s", "-j", found[1]).stdout.strip() == ended)

    # -- down --------------------------------------------------------------------------------------------------

    def down(self) -> None:
        """Delete what is queued, then stop what was started, clients before what they need."""
        running = self.daemons
        if running["almighty"]:
            self.delete_jobs()
            os.kill(running["almighty"], signal.SIGTERM)  # type: ignore[arg-type]
            self.gone("almighty", 30)
            PID.unlink(missing_ok=True)
        if running["sshd"]:
            os.kill(running["sshd"], signal.SIGTERM)
            self.gone("sshd", 10)
        if running["postgres"]:
            os.kill(running["postgres"], signal.SIGINT)  # fast shutdown
            self.gone("postgres", 30)

    def delete_jobs(self) -> None:
        """End all jobs and wait for that."""
        left = "select job_id from jobs where state not in ('Terminated', 'Error')"
        jobs = self.sql(left).split()
        if jobs:
            self.command("oardel", *jobs, check=False)
            self.wait("the end of all jobs", 60, lambda: not self.sql(left))

    def gone(self, name: str, seconds: float) -> None:
        """Wait for the end of a daemon."""
        self.wait(f"the end of {name}", seconds, lambda: not self.daemons[name])

    def wipe(self) -> None:
        """Stop, remove the state and the user, and put OAR's files back."""
        self.down()
        for path in (CONF, ALMIGHTY):
            kept = path.with_name(path.name + ".before-testbed")
            if kept.exists():
                kept.replace(path)
        self.names(remove=True)
        LOG.unlink(missing_ok=True)
        if self.data.is_dir() or self.run.is_dir():
            shutil.rmtree(self.state)
        self.command("userdel", USER, check=False)

    def status(self) -> dict:
        """Which daemons run, and what oarnodes says."""
        running = self.daemons
        nodes = self.command("oarnodes", "-s", check=False).stdout if all(running.values()) else ""
        return {"state": str(self.state), "user": USER, "daemons": running, "oarnodes": nodes}


def install() -> int:
    """Install Debian's packages, saying so; the exit status says whether they are there."""
    if all(shutil.which(name) for name in COMMANDS) and list(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        return 0
    if os.environ.get("LAUNCHERS_NO_INSTALL") or os.geteuid() or shutil.which("apt-get") is None:
        print(f"oar-testbed: not installed: {' '.join(PACKAGES)} (apt-get install, as root)", file=sys.stderr)
        return 1
    print(
        f"oar-testbed: installing {' '.join(PACKAGES)} with apt-get (LAUNCHERS_NO_INSTALL=1 opts out)", file=sys.stderr
    )
    policy = Path("/usr/sbin/policy-rc.d")
    held = policy.exists()
    if not held:  # no service is to start by itself
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        for argv in (
            ["apt-get", "update", "-q"],
            ["apt-get", "install", "-y", "-q", "--no-install-recommends", *PACKAGES],
        ):
            done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
            if done.returncode:
                print(f"oar-testbed: {' '.join(argv)} failed:\n{(done.stdout + done.stderr)[-4000:]}", file=sys.stderr)
                return 1
    finally:
        if not held:
            policy.unlink()
    return 0


def main(argv: list[str] | None = None) -> int:
    """The command line."""
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--state", type=Path, default=STATE)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("install", "up", "down", "env", "wipe", "python"):
        commands.add_parser(name)
    commands.add_parser("status").add_argument("--json", action="store_true")
    commands.add_parser("as-user").add_argument("argv", nargs=argparse.REMAINDER)
    options = parser.parse_args(argv)
    testbed = Testbed(options.state)
    try:
        if options.command == "install":
            return install()
        if options.command == "as-user":
            return testbed.as_user(options.argv or ["bash", "-i"])
        if options.command == "up":
            started = time.monotonic()
            testbed.up()
            print(f"up in {time.monotonic() - started:.1f} s; clients: tools/oar-testbed as-user oarsub ...")
        elif options.command == "status":
            status = testbed.status()
            if options.json:
                print(json.dumps(status, indent=2))
            else:
                for name, pid in status["daemons"].items():
                    print(f"{name:16} {pid or 'down'}")
                print(status["oarnodes"], end="")
            return 0 if all(status["daemons"].values()) else 1
        elif options.command == "python":
            print(testbed.python())
        elif options.command == "env":
            own = {key: value for key, value in testbed.env.items() if value != os.environ.get(key)}
            print("".join(f"export {key}={shlex.quote(value)}\n" for key, value in own.items()), end="")
        else:
            getattr(testbed, options.command)()
    except (TestbedError, OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
        print(f"oar-testbed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
