"""Submitting to a real Slurm, asking after jobs, and running many on this machine."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench_suite.peers import installed
from bench_suite.timing import OURS, Row, alternately, missing, process, row
from bench_suite.work import nothing
from slurm_testbed import PORT, Testbed, TestbedError

HELD = ("-p", "cpu", "-t", "5", "-n", "1", "-c", "1", "--hold", "-o", "/dev/null", "--parsable")
"""How jobs are asked for: held, so that none runs while others are submitted."""
WIDE = 100
MANY = 10_000


@contextmanager
def cluster() -> Iterator[str]:
    """A real Slurm to talk to, "" when there is one; otherwise why not.  LAUNCHERS_TESTBED names one that runs."""
    named = os.environ.get("LAUNCHERS_TESTBED")
    with tempfile.TemporaryDirectory(prefix="launchers-bench-") as state:
        Path(state).chmod(0o755)
        bed = Testbed(Path(named)) if named else Testbed(Path(state) / "bed", port=PORT + 500, cluster="bench")
        try:
            if not named:
                bed.up()
            os.environ["SLURM_CONF"] = str(bed.conf)
            yield ""
        except (TestbedError, OSError) as error:
            yield f"no Slurm here: {error}"
        finally:
            if not named:
                bed.wipe()


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder with a launchers.yaml that asks the cluster, as the working directory; no jobs are left after it."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("launchers.yaml").write_text("slurm: [{id: bed, query_slurm: true}]\n")
        try:
            yield Path(folder)
        finally:
            os.chdir(before)
            cancelled()


def cancelled() -> None:
    """Cancel everything of this user and wait until it is gone from the queue."""
    subprocess.run(["scancel", "-u", str(os.getuid())], check=True)
    while subprocess.run(["squeue", "-h", "-u", str(os.getuid())], capture_output=True, check=True).stdout:
        time.sleep(0.2)


def seconds(work: Callable[[], object]) -> Callable[[], float]:
    """The seconds that a call takes; what it queued is cancelled before the next one."""

    def timed() -> float:
        start = time.perf_counter()
        work()
        spent = time.perf_counter() - start
        cancelled()
        return spent

    return timed


# -- plans on Slurm --------------------------------------------------------------------------------------------


def need() -> dict[str, object]:
    """One core for five minutes, held."""
    return {"partition": "cpu", "time": 5, "cpus_per_task": 1, "additional_parameters": {"hold": True}}


def chain() -> None:
    """Ours: Chain(Step, Parallel(100 steps), Step)."""
    from launchers.plan import Chain, Parallel, Plan, Step

    middle = Parallel(*(Step(f"m{number}", need(), nothing, number) for number in range(WIDE)))
    Plan("wide", Chain(Step("first", need(), nothing), middle, Step("last", need(), nothing))).submit()


def by_submitit() -> None:
    """What planit does: submitit's `submit` once per step, each with its dependencies."""
    import submitit

    executor = submitit.SlurmExecutor("submitit")

    def sent(*after: str) -> str:
        more: dict[str, object] = {"hold": True, **({"dependency": f"afterok:{':'.join(after)}"} if after else {})}
        executor.update_parameters(partition="cpu", time=5, cpus_per_task=1, additional_parameters=more)
        return str(executor.submit(nothing).job_id)

    first = sent()
    sent(*(sent(first) for _ in range(WIDE)))


def by_planit(python: Path) -> Callable[[], object]:
    """Planit itself, in its own Python."""
    code = f"""
import submitit
from planit import Chain, Parallel, Plan, Step
def nothing(*_): pass
need = lambda: {{"slurm_time": "00:05:00", "slurm_partition": "cpu", "slurm_additional_parameters": {{"hold": True}}}}
middle = Parallel(*(Step(f"m{{n}}", nothing, need(), n) for n in range({WIDE})))
plan = Plan("wide", Chain(Step("first", nothing, need()), middle, Step("last", nothing, need())))
plan.submit(submitit.AutoExecutor(folder="planit", cluster="slurm"))
"""
    return lambda: subprocess.run([python, "-c", code], check=True, capture_output=True)


def by_loop() -> None:
    """A shell loop of 102 bare sbatch."""
    held = " ".join(HELD)
    loop = f"""
first=$(sbatch {held} --wrap true); all=
for n in $(seq {WIDE}); do all=$all:$(sbatch {held} -d afterok:$first --wrap true); done
sbatch {held} -d afterok$all --wrap true
"""
    subprocess.run(["sh", "-ec", loop], check=True, capture_output=True)


def submit(rounds: int) -> Iterator[Row]:
    """A wide plan."""
    name = f"submit Chain(Step, Parallel({WIDE}), Step)"
    planit = installed("planit")
    with cluster() as why, scratch():
        if why:
            yield missing(name, "planit", 1 / 20, why)
            return
        works = {"ours": seconds(chain), "submitit": seconds(by_submitit), "loop": seconds(by_loop)}
        if isinstance(planit, Path):
            works["planit"] = seconds(by_planit(planit))
        chain()  # imports, and the first look at the cluster
        cancelled()
        spent = alternately(works, max(3, rounds // 5))
    if isinstance(planit, Path):
        yield row(name, spent["ours"], "planit", spent["planit"], 1 / 20)
    else:
        yield missing(name, "planit", 1 / 20, planit)
    note = "planit's submit is this, step by step"
    yield row(name, spent["ours"], "submitit's submit, 102 times", spent["submitit"], 1 / 20, note=note)
    yield row(name, spent["ours"], "102 bare sbatch in a shell loop", spent["loop"], 1)


def many(rounds: int) -> Iterator[Row]:
    """A Map of 10,000, and asking after it."""
    import cloudpickle

    from launchers.plan import Map, Plan

    name, asked = f"submit Map({MANY:,}): seconds beyond a bare array and pickling", f"status of {MANY:,} jobs"
    with cluster() as why, scratch() as folder:
        if why:
            yield missing(name, "sbatch --array", 3, why)
            yield missing(asked, "squeue -r and sacct", 1.5, why)
            return
        run = Plan("many", Map("work", need(), nothing, range(MANY))).submit()
        job = next(iter(run.store.submitted().values()))
        listed = "JobID,State,Reason,NodeList,Elapsed,ExitCode,Partition"
        bare = f"squeue -h -a -r -t all -j {job} -o '%F|%K|%T|%N|%M|%P|%r'; sacct -X -n -P -j {job} -o {listed}"
        status = {
            "ours": process(OURS.with_name("launchers"), "status", run.folder, cwd=folder),
            "bare": process("sh", "-c", bare),
        }
        spent = alternately(status, max(3, rounds // 3))
        yield row(asked, spent["ours"], "squeue -r and sacct", spent["bare"], 1.5)
        cancelled()
        array = ["sbatch", *HELD, f"--array=0-{MANY - 1}%256", "--wrap", "true"]
        works = {
            "ours": seconds(lambda: Plan("many", Map("work", need(), nothing, range(MANY))).submit()),
            "bare": seconds(lambda: subprocess.run(array, check=True, capture_output=True)),
            "pickling": seconds(lambda: [cloudpickle.dumps(number) for number in range(MANY)]),
        }
        spent = alternately(works, max(3, rounds // 5))
    beyond = row(name, spent["ours"], "one bare sbatch --array", spent["bare"], 3)
    extra = beyond.ours - beyond.theirs - sorted(spent["pickling"])[len(spent["pickling"]) // 2]
    yield Row(beyond.measure, beyond.ours, beyond.beside, beyond.theirs, extra, 3, "s")


# -- this machine ----------------------------------------------------------------------------------------------


def local(rounds: int) -> Iterator[Row]:
    """1,000 jobs of `true`, two at a time."""
    from launchers.jobs.state import ENDED
    from launchers.local.control import submit_jobs
    from launchers.local.jobs import Capacity, LocalJob
    from launchers.local.journal import read_statuses

    count = 1000
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LAUNCHERS_LOCAL_STATE"] = f"{folder}/ledger"
        jobs = [LocalJob(f"j{n}", ("true",), folder, os.devnull, os.devnull) for n in range(count)]

        def ours() -> float:
            place = Path(tempfile.mkdtemp(dir=folder)) / "run"
            start = time.perf_counter()
            submit_jobs(place, Capacity(cores=2), jobs)
            while (place / "scheduler.pid").exists() or not (place / "events.jsonl").exists():
                time.sleep(0.02)
            spent = time.perf_counter() - start
            ended = [one for one in read_statuses(place).values() if one.state in ENDED]
            if len(ended) != count:
                raise RuntimeError(f"{len(ended)} of {count} jobs ended")
            return spent

        xargs = process("sh", "-c", f"seq {count} | xargs -P2 -n1 true")
        spent = alternately({"ours": ours, "xargs": xargs}, max(3, rounds // 5))
    whole = row("local scheduler, 1,000 x true, 2 at a time: per job", spent["ours"], "xargs -P2", spent["xargs"], 20)
    each = (whole.ours - whole.theirs) * 1000 / count
    yield Row(whole.measure, whole.ours, whole.beside, whole.theirs, each, 20, "ms")
