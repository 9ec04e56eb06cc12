"""The kinds of attack.  Each does something to one try; a storm does something to the whole bed meanwhile."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen
from killed import NEVER

from chaos_run.answers import install_wrappers
from chaos_run.judge import ENDED, read_states
from chaos_run.scene import BOUND, Client, Scene, end_all
from chaos_run.shapes import NEED, StepShape

LAST_POINT = 110
"""More than the points of a client that submits a plan of a few steps."""


def calm(bed: Any, rng: random.Random) -> Any:
    """Nothing happens to the whole bed."""
    return contextlib.nullcontext()


def nothing(*_: Any) -> None:
    """Nothing happens."""


@frozen
class Kind:
    """A kind of attack: `act` is done to each try at once, while `storm` goes on; `event` then happens to all, and
    `after` is done to each again.  Then all is well again, and the runs are finished and judged.

    `seconds` is how long the jobs take that matter, and `retries` how often what failed is run again at the end.
    `scans` says that one try of four is a scan.
    """

    name: str
    act: Callable[[Scene, Any], None]
    storm: Callable[[Any, random.Random], Any] = calm
    event: Callable[[Any, Sequence[Scene]], None] = nothing
    after: Callable[[Scene, Any], None] = nothing
    seconds: float = 0.3
    retries: int = 0
    scans: bool = False

    @property
    def alone(self) -> bool:
        """Whether it disturbs all that is going on."""
        return self.storm is not calm or self.event is not nothing


# -- kill, stop, race ------------------------------------------------------------------------------------------


def submit_somehow(scene: Scene, *, killed: float = 0.6) -> None:
    """Submit; by chance the client is killed at a point or after some time.  Where that was too early, once more."""
    fate = scene.rng.random()
    if fate < killed * 0.6:
        scene.start(*scene.submission, point=scene.rng.randrange(LAST_POINT)).end()
    elif fate < killed:
        kill_later(scene, scene.start(*scene.submission), 0.3, 3)
    if scene.run is None:
        scene.call(*scene.submission)


def kill_later(scene: Scene, client: Client, least: float, most: float) -> None:
    """SIGKILL after a random time."""
    time.sleep(scene.rng.uniform(least, most))
    client.signal(signal.SIGKILL)
    client.end()


def kill(scene: Scene, bed: Any) -> None:
    """Clients, the scheduler of this machine, and jobs are killed, one after the other."""
    submit_somehow(scene, killed=0.8)
    verbs = ["resume", "resume", "wait", "status", "scheduler", "scheduler", "shell", "retry"]
    verbs += ["cancel"] if scene.rng.random() < 0.3 else []
    for verb in scene.rng.choices(verbs, k=scene.rng.randint(2, 4)):
        if verb == "scheduler":
            kill_all(scene, bed.schedulers(scene), "scheduler")
        elif verb == "shell":
            kill_a_job(scene)
        elif scene.run is not None:
            scene.cancels |= verb == "cancel"
            point = scene.rng.choice((NEVER, scene.rng.randrange(40)))
            client = scene.start(verb, str(scene.run), point=point)
            kill_later(scene, client, 0.2, 1.5)
        time.sleep(scene.rng.uniform(0, 0.4))


def kill_all(scene: Scene, pids: Sequence[int], what: str) -> None:
    """SIGKILL."""
    for pid in pids:
        scene.note(f"SIGKILL to {what} {pid}")
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def kill_a_job(scene: Scene) -> None:
    """SIGKILL to the command of a job, or to what started it."""
    alive = scene.alive()
    if alive:
        line = scene.rng.choice(alive)
        scene.kills = True
        kill_all(scene, [scene.rng.choice((line.pid, line.parent))], f"job {line.step}")


def stop(scene: Scene, bed: Any) -> None:
    """A client is stopped in the middle of a submission for longer than the scheduler remembers jobs that ended."""
    client = scene.start(*scene.submission)
    until_submitted(scene, client, scene.rng.randint(1, 4))
    with contextlib.suppress(ProcessLookupError):
        client.signal(signal.SIGSTOP)
    time.sleep(bed.forgets * scene.rng.uniform(1, 1.3) if scene.rng.random() < 0.8 else 3)
    client.signal(signal.SIGCONT)
    client.end()


def until_submitted(scene: Scene, client: Client, number: int) -> None:
    """Wait until a client has made so many submissions, or has ended."""
    deadline = time.monotonic() + 60
    while client.process.poll() is None and submitted(scene) < number and time.monotonic() < deadline:
        time.sleep(0.005)


def submitted(scene: Scene) -> int:
    """How many submissions the journal has."""
    try:
        return (scene.run / "journal.jsonl").read_text().count('"submitted"') if scene.run else 0
    except FileNotFoundError:
        return 0


RACES = (
    ("resume",) * 4,
    ("resume", "cancel"),
    ("retry", "retry"),
    ("wait", "cancel"),
    ("resume", "resume", "wait", "retry"),
)


def race(scene: Scene, bed: Any) -> None:
    """Several clients of one run at once."""
    submit_somehow(scene, killed=0.7)
    for _ in range(scene.rng.randint(1, 2)):
        verbs = scene.rng.choice(RACES)
        if scene.run is None:
            return
        if "retry" in verbs:
            scene.ask("wait", "--timeout", "30")
        scene.cancels |= "cancel" in verbs
        end_all([scene.start(verb, str(scene.run)) for verb in verbs], max(BOUND, bed.bound))


# -- disk ------------------------------------------------------------------------------------------------------


def disk(scene: Scene, bed: Any) -> None:
    """The run folder is on a disk that is full, or read-only, or has no inodes left, now and then."""
    trouble = scene.rng.choice(("full", "full", "read-only", "inodes"))
    options = f"size={scene.rng.choice((200, 400, 1000))}k,mode=0755,uid={bed.uid}"
    options += f",nr_inodes={scene.rng.randint(60, 200)}" if trouble == "inodes" else ""
    mount("-t", "tmpfs", "-o", options, "tmpfs", str(scene.runs))
    scene.note(f"disk: {trouble} {options}")
    scene.denies = True
    over = threading.Event()
    trouble_maker = threading.Thread(target=trouble_disk, args=(scene, trouble, over))
    trouble_maker.start()
    try:
        submit_somehow(scene, killed=0.2)
        for verb in scene.rng.choices(("status", "resume", "wait", "retry"), k=scene.rng.randint(1, 3)):
            scene.ask(verb, *(("--timeout", "5") if verb == "wait" else ()))
    finally:
        over.set()
        trouble_maker.join()
        mount("-o", "remount,rw,size=64m,nr_inodes=20000", str(scene.runs))


def trouble_disk(scene: Scene, trouble: str, over: threading.Event) -> None:
    """Now full, now free, until it is over."""
    rng, ballast = random.Random(scene.rng.random()), scene.runs / ".ballast"
    while not over.is_set():
        if trouble == "read-only":
            mount("-o", "remount,ro", str(scene.runs))
        elif trouble == "full":
            fill(ballast)
        else:
            with contextlib.suppress(OSError):
                ballast.mkdir(exist_ok=True)
                for number in range(100_000):
                    (ballast / str(number)).touch()
        over.wait(rng.uniform(0.1, 1.5))
        if trouble == "read-only":
            mount("-o", "remount,rw", str(scene.runs))
        elif trouble == "full":
            ballast.unlink(missing_ok=True)
        else:
            shutil.rmtree(ballast, ignore_errors=True)
        over.wait(rng.uniform(0.05, 0.8))


def fill(path: Path) -> None:
    """Write until there is no room."""
    with contextlib.suppress(OSError), path.open("ab", buffering=0) as out:
        while True:
            out.write(b"x" * 4096)


def mount(*words: str) -> None:
    """Mount, or fail; a file that is open for writing keeps a disk from becoming read-only, so that is tried often."""
    for _ in range(40):
        done = subprocess.run(["mount", *words], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        if "busy" not in done.stderr:
            raise RuntimeError(f"mount {' '.join(words)}: {done.stderr}")
        time.sleep(0.02)


def free_disk(scene: Scene) -> None:
    """Take a disk away again; what was on it stays where somebody wants to look at it."""
    if os.path.ismount(scene.runs):
        if scene.faults:
            shutil.copytree(scene.runs, scene.folder / "runs", dirs_exist_ok=True, symlinks=True)
        subprocess.run(["umount", "-l", str(scene.runs)], check=False)


# -- answers ---------------------------------------------------------------------------------------------------


def answers(scene: Scene, bed: Any) -> None:
    """The scheduler's commands answer late, wrongly, not at all, or not to whoever asked."""
    over = install_wrappers(scene, bed.commands)
    try:
        if scene.rng.random() < 0.3:
            run_command(scene)
        client = scene.start(*scene.submission)
        if scene.rng.random() < 0.25:
            kill_later(scene, client, 0.5, 6)
        else:
            client.end()
        for verb in scene.rng.choices(("status", "resume", "resume", "wait", "retry"), k=scene.rng.randint(1, 3)):
            scene.ask(verb, *(("--timeout", "8") if verb == "wait" else ()))
        if scene.rng.random() < 0.15:
            scene.cancels = True
            scene.ask("cancel")
    finally:
        over.touch()
    if scene.run is None:
        scene.call(*scene.submission)


def run_command(scene: Scene) -> None:
    """Run one command, whose exit status is that of its job."""
    step = StepShape("command", seconds=0.3, failing=scene.rng.choice(((), ("-",))))
    ended = scene.call("run", NEED, "--", *step.argv(scene.ledger), bound=2 * BOUND)
    words = [line.word for line in scene.lines() if line.step == "command" and line.word != "start"]
    if ended.status in (0, 3) and words != [str(ended.status)]:
        scene.fault("lost", f"run ended with {ended.status}, and its job with {words}: {ended.output[-200:]}")


# -- clock -----------------------------------------------------------------------------------------------------

OFFSETS = (7200, -7200, 0, 86400 * 370, -86400 * 40)
"""Seconds by which the time of day is wrong."""


def clock(scene: Scene, bed: Any) -> None:
    """The clock of the clients, and of what they start, jumps to and fro."""
    offset = scene.folder / "clock"
    offset.write_text("0")
    scene.forgotten = bool(
        bed.commands
    )  # an srun whose clock jumps gives up ("timeout waiting for task launch"), with 0
    shim = {"LD_PRELOAD": str(bed.clock()), "CHAOS_CLOCK": str(offset)}
    over = threading.Event()
    jumps = threading.Thread(target=jump, args=(scene, offset, over))
    jumps.start()
    try:
        submission = scene.start(*scene.submission, environment=shim)
        if scene.rng.random() < 0.6:
            kill_later(scene, submission, 0.3, 2)
        else:
            submission.end()
        for verb in scene.rng.choices(("resume", "status", "scheduler", "wait"), k=scene.rng.randint(2, 4)):
            if verb == "scheduler":
                kill_all(scene, bed.schedulers(scene), "scheduler")
            elif scene.run is not None:
                words = (verb, str(scene.run), *(("--timeout", "20") if verb == "wait" else ()))
                ended = scene.call(*words, environment=shim)
                if NEGATIVE.search(ended.output):
                    scene.fault("wrong", f"a negative time: {ended.output}")
    finally:
        over.set()
        jumps.join()
        offset.write_text("0")


NEGATIVE = re.compile(r" -\d")


def jump(scene: Scene, offset: Path, over: threading.Event) -> None:
    """Set the clock to another time, now and then."""
    rng = random.Random(scene.rng.random())
    while not over.is_set():
        seconds = rng.choice(OFFSETS)
        scene.note(f"clock {seconds:+}")
        offset.write_text(str(seconds))
        over.wait(rng.uniform(0.2, 3))


# -- owner -----------------------------------------------------------------------------------------------------

STRANGER = 43210
"""A user id that nobody has."""
VIEWS = ("status", "report", "advise", "logs", "wait", "resume", "retry", "cancel")


def owner(scene: Scene, bed: Any) -> None:
    """What is somebody else's lies where ours is looked for."""
    scene.rng.choice((foreign_run, foreign_run, foreign_config, foreign_folders))(scene, bed)


def foreign_run(scene: Scene, bed: Any) -> None:
    """A copy of a run that belongs to a stranger, with code of his in all that could be run or unpickled."""
    submit_somehow(scene, killed=0.3)
    if scene.run is None:
        return
    if scene.rng.random() < 0.5:
        scene.ask("wait", "--timeout", "20")
    canary, copy = scene.folder / "canary", scene.folder / "strange" / "runs" / scene.run.name
    shutil.copytree(scene.run, copy, ignore=shutil.ignore_patterns("lock*", ".*"))  # what processes rename meanwhile
    plant(copy, canary)
    for path in (copy.parent.parent, copy.parent, copy, *copy.rglob("*")):
        os.chown(path, STRANGER, STRANGER)
        path.chmod(0o777 if path.is_dir() else 0o666)
    step = scene.shape[0]
    for verb in (*scene.rng.sample(VIEWS, 4), "status", "runs"):
        where = str(copy.parent if verb == "runs" else copy)
        more = {"logs": (f"{step.name}{':0' if step.items else ''}",), "wait": ("--timeout", "3")}.get(verb, ())
        scene.call(verb, where, *more, bound=60)
    time.sleep(1)
    if canary.exists():
        scene.fault("wrong", f"code of a stranger ran: {canary.read_text()[:200]}")


def plant(run: Path, canary: Path) -> None:
    """Put code that writes to the canary into a run folder."""
    command = f"echo $0 $PPID >> {canary}"
    bomb = b"cposix\nsystem\n(V" + command.encode() + b"\ntR."
    folders = [path for path in (run / "jobs").iterdir() if path.is_dir()]
    results = list(run.rglob("*.pkl"))
    results += [path / f"{name}_0_result.pkl" for path in folders for name in (path.name, "1", "1_0", "2")]
    for path in results:
        path.write_bytes(bomb)
    for table in run.rglob("jobs.jsonl"):
        rows = [json.loads(line) for line in table.read_text().splitlines()]
        rows = [{**row, "argv": ["/bin/sh", "-c", command]} if "argv" in row else row for row in rows]
        table.write_text("".join(json.dumps(row) + "\n" for row in rows))
        (table.parent / "journal.jsonl").unlink(missing_ok=True)
        (table.parent / "scheduler.pid").write_text(f"999999 1 {socket.gethostname()}\n")


def foreign_config(scene: Scene, bed: Any) -> None:
    """The launchers.yaml of the folder is a stranger's: it is not taken without a word."""
    config = scene.folder / "work" / "launchers.yaml"
    os.chown(config, STRANGER, STRANGER)
    ended = scene.call(*scene.submission)
    if scene.run is not None and "launchers.yaml" not in ended.output:
        scene.fault("wrong", f"a stranger's launchers.yaml was taken without a word: {ended.output}")
    os.chown(config, bed.uid, bed.uid)
    if scene.run is None:
        scene.call(*scene.submission)


STRANGE_FOLDERS = """mount -t tmpfs tmpfs /tmp && mkdir -m 700 /tmp/launchers-0 /tmp/xdg &&
chown {uid} /tmp/launchers-0 /tmp/xdg && exec "$@" """


def foreign_folders(scene: Scene, bed: Any) -> None:
    """Folders that we would make in /tmp are there, and are a stranger's; so is XDG_RUNTIME_DIR."""
    scene.prefix = ("unshare", "-m", "sh", "-c", STRANGE_FOLDERS.format(uid=STRANGER), "sh")
    scene.environment = {**scene.environment, "XDG_RUNTIME_DIR": "/tmp/xdg", "HOME": str(scene.folder)}
    del scene.environment["LAUNCHERS_LOCAL_STATE"]
    ended = scene.call(*scene.submission)
    if scene.run is None:
        scene.fault("blocked", f"folders of a stranger in /tmp block a submission: {ended.output[-300:]}")


# -- ids that are used again -----------------------------------------------------------------------------------


def ids(scene: Scene, bed: Any) -> None:
    """A run of which some jobs have ended, and a command."""
    submit_somehow(scene, killed=0.2)
    scene.ask("wait", "--timeout", str(scene.rng.choice((1, 3, 15))))
    scene.call("run", NEED, "--", "echo", "the-old-word")
    scene.known = read_states(scene.ask("status", "--json"))
    scene.forgotten = True


def reuse(bed: Any, scenes: Sequence[Scene]) -> None:
    """The scheduler counts from the beginning again, and jobs of other work get the ids of ours."""
    used = max((int(line.job) for scene in scenes for line in scene.lines() if line.job.isdigit()), default=0)
    bed.forget()
    bed.precious = bed.foreign_jobs(min(used + 25, 100), 600)


def after_reuse(scene: Scene, bed: Any) -> None:
    """What ended has ended as it did, what others do is not ours, and is not cancelled; a new word is not an old one."""
    now = read_states(scene.ask("status", "--json"))
    for job, (state, _) in scene.known.items():
        if state in ("COMPLETED", "FAILED") and now.get(job, ("",))[0] != state:
            scene.fault("wrong", f"{job} was {state}, and is {now.get(job)} since its id is used again")
        if state not in ENDED and now.get(job, ("",))[0] in ("RUNNING", "PENDING") and bed.loses_jobs:
            scene.fault("wrong", f"{job} is {now[job]} by somebody else's job")
    ended = scene.call("run", NEED, "--", "echo", "the-new-word", bound=200)
    if "the-old-word" in ended.output or (ended.status == 0 and "the-new-word" not in ended.output):
        scene.fault("wrong", f"run printed {ended.output!r}")
    if scene.rng.random() < 0.6:
        scene.cancels = True
        scene.ask("cancel")
    states = bed.foreign_states()
    if gone := [job for job in bed.precious if states.get(job) not in ("RUNNING", "PENDING", "CONFIGURING")]:
        scene.fault("wrong", f"jobs of others are {[(job, states.get(job)) for job in gone][:5]}")


# -- parents ---------------------------------------------------------------------------------------------------


def parents(scene: Scene, bed: Any) -> None:
    """Jobs that others wait for are forgotten, deleted, or run again."""
    scene.rng.choice((forgotten_parents, deleted_parents, requeued_parents))(scene, bed)


def forgotten_parents(scene: Scene, bed: Any) -> None:
    """The client is killed in the middle; what is finished later waits for what nobody remembers."""
    client = scene.start(*scene.submission)
    until_submitted(scene, client, scene.rng.randint(1, 3))
    client.signal(signal.SIGKILL)
    client.end()
    time.sleep(bed.forgets * scene.rng.uniform(1, 1.2))


def deleted_parents(scene: Scene, bed: Any) -> None:
    """Somebody deletes a job that others wait for, with the scheduler's own command."""
    submit_somehow(scene, killed=0.3)
    time.sleep(scene.rng.uniform(0, 2))
    scene.cancels = True
    for job in scene.rng.sample(jobs := job_ids(scene), min(len(jobs), 2)):
        scene.note(f"deleted {job}: {bed.delete(job)}")


def requeued_parents(scene: Scene, bed: Any) -> None:
    """Somebody has the scheduler run a job again."""
    submit_somehow(scene, killed=0.3)
    time.sleep(scene.rng.uniform(0, 2))
    for job in scene.rng.sample(jobs := job_ids(scene), min(len(jobs), 2)):
        if bed.requeue(job):
            scene.note(f"requeued {job}")
            scene.requeued.add(job)
            scene.kills = True


def job_ids(scene: Scene) -> list[str]:
    """The ids of its jobs, as the journal has them."""
    if scene.run is None:
        return []
    path = scene.run / "journal.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    events = [json.loads(line) for line in lines if line.endswith("}")]
    return sorted({job for event in events for job in (event.get("jobs") or {}).values()})


# -- outage ----------------------------------------------------------------------------------------------------


def outage(scene: Scene, bed: Any) -> None:
    """A user goes on working while the scheduler comes and goes."""
    submit_somehow(scene, killed=0.2)
    verbs = ("status", "wait", "resume", "status", "retry", *(("cancel",) if scene.rng.random() < 0.2 else ()))
    for verb in scene.rng.choices(verbs, k=scene.rng.randint(2, 5)):
        scene.cancels |= verb == "cancel"
        scene.ask(verb, *(("--timeout", "8") if verb == "wait" else ()))
        time.sleep(scene.rng.uniform(0, 1))


def note_crashes(bed: Any, scenes: Sequence[Scene]) -> None:
    """Whether jobs may have been lost with the memory of a controller."""
    for scene in scenes:
        scene.forgotten = bed.crashed
    bed.crashed = False


@contextlib.contextmanager
def outages(bed: Any, rng: random.Random) -> Iterator[None]:
    """Its daemons are stopped or killed, and started again."""
    over = threading.Event()

    def strike() -> None:
        while not over.wait(rng.uniform(0.5, 4)):
            bed.stop(rng.choice(bed.daemons()), hard=rng.random() < 0.3)
            over.wait(rng.uniform(0.5, 6))
            bed.heal()

    striker = threading.Thread(target=strike)
    striker.start()
    try:
        yield
    finally:
        over.set()
        striker.join()


KINDS = {
    kind.name: kind
    for kind in (
        Kind("kill", kill, seconds=0.6, scans=True),
        Kind("stop", stop, seconds=0.1),
        Kind("race", race, scans=True),
        Kind("disk", disk, retries=1, scans=True),
        Kind("answers", answers, scans=True),
        Kind("clock", clock, seconds=0.6),
        Kind("owner", owner, seconds=0.6),
        Kind("ids", ids, event=reuse, after=after_reuse, seconds=1),
        Kind("parents", parents, seconds=0.6),
        Kind("outage", outage, storm=outages, event=note_crashes, seconds=0.6),
    )
}
