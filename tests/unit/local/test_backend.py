"""Plans on this machine: what the table of an attempt says, and what its journal comes to."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from attrs import evolve
from fake_backend import after, step, stored_run, submission

from launchers.events import append, line_of
from launchers.jobs.backend import JobInfo
from launchers.jobs.usage import Usage
from launchers.local import control
from launchers.local.args import LocalArgs
from launchers.local.backend import LocalBackend
from launchers.local.health import Health, name_scheduler, write_health
from launchers.local.jobs import Capacity, Wanted, read_table
from launchers.local.journal import JOB_EVENTS, JobEnd, JobIntent, JobStart, journal_path
from launchers.processes import process

ARGS = LocalArgs(
    2, 5, (Wanted("cuda"),), ("licence",), 60, Capacity(4, 9, (("cuda", "X", None, None),), (("licence", 3),))
)
BACKEND = LocalBackend()


def local(name, *parents, **more):
    return submission(name, *parents, parameters=more.pop("parameters", ARGS.submitit()), **more)


@pytest.fixture
def started(monkeypatch):
    """The folders for which a scheduler was started instead."""
    folders = []
    monkeypatch.setattr(control, "start_scheduler", folders.append)
    return folders


def prepare(root, *submissions, attempt=1, **more):
    """The run of these submissions, and the table of an attempt."""
    run = stored_run(root, *submissions, **more)
    for number in range(1, attempt + 1):
        BACKEND.prepare([run.request(one) for one in submissions if one.attempt == number])
    return run, *read_table(run.folder.path / "local" / str(attempt))


# -- the table -------------------------------------------------------------------------------------------------


def test_a_step_is_run_as_submitit_runs_it(tmp_path):
    run, capacity, jobs = prepare(tmp_path, local("a"))
    job = jobs["a"]
    assert capacity == ARGS.capacity
    assert (job.id, job.name, job.cores, job.memory, job.wanted, job.tokens, job.time_limit) == (
        "a", "a", 2, 5, (Wanted("cuda"),), (("licence", 1),), 60,
    )  # fmt: skip
    assert job.argv == (sys.executable, "-u", "-m", "launchers.runs.node", str(run.folder), "a")
    assert (job.cwd, job.stdout, job.stderr) == (
        "/", str(run.folder.path / "jobs" / "a" / "a_0_log.out"), str(run.folder.path / "jobs" / "a" / "a_0_log.err"),
    )  # fmt: skip
    assert dict(job.env) == {
        "SUBMITIT_EXECUTOR": "local", "SUBMITIT_LOCAL_JOB_ID": "a", "SUBMITIT_LOCAL_NTASKS": "1",
        "SUBMITIT_LOCAL_JOB_NUM_NODES": "1", "SUBMITIT_LOCAL_NODEID": "0", "SUBMITIT_LOCAL_LOCALID": "0",
        "SUBMITIT_LOCAL_GLOBALID": "0",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "condition"),
    [("afterok", "ok"), ("aftercorr", "ok"), ("afterany", "any"), ("after", "started"), ("afternotok", "notok")],
)
def test_what_a_job_waits_for(tmp_path, kind, condition):
    _, _, jobs = prepare(tmp_path, local("a"), local("b", after("a", kind)))
    assert (jobs["a"].after, jobs["b"].after) == ((), ((condition, "a"),))


def test_steps_that_have_to_fail_are_waited_for_one_by_one(tmp_path):
    items = [submission(f"m.{n}", steps=["m"], parameters=ARGS.submitit()) for n in range(2)]
    parents = [after("m.0", "afternotok"), after("x", "afternotok"), after("m.1", "afternotok"), after("x", "afterok")]
    _, _, jobs = prepare(tmp_path, *items, local("x"), local("b", *parents))
    assert jobs["b"].after == (("ok", "x"), ("notok", "m.0\nm.1"), ("notok", "x"))


def test_jobs_of_other_attempts_and_runs_are_waited_for_by_their_folders(tmp_path):
    again = evolve(local("b", after("a"), after("c~2"), after=("/other/run",)), name="b~2", attempt=2)
    run, _, jobs = prepare(
        tmp_path, local("a"), local("b"), local("c"), evolve(local("c"), name="c~2", attempt=2), again, attempt=2
    )
    assert list(jobs) == ["c~2", "b~2"]
    assert jobs["b~2"].after == (("ok", f"{run.folder}/local/1/a"), ("ok", "c~2"), ("ok", "/other/run/local"))


def test_at_most_so_many_jobs_of_a_run_or_a_step(tmp_path):
    items = [submission(f"m.{n}", steps=["m"], parameters=ARGS.submitit(), at_once=2) for n in range(3)]
    run, capacity, jobs = prepare(tmp_path, *items, local("a"), jobs=5)
    assert dict(capacity.tokens) == {"licence": 3, run.id: 5, f"{run.id} m": 2}
    assert dict(jobs["m.1"].tokens) == {"licence": 1, run.id: 1, f"{run.id} m": 1}
    assert dict(jobs["a"].tokens) == {"licence": 1, run.id: 1}


# -- scripts ---------------------------------------------------------------------------------------------------


def script(name, item, **more):
    one = submission(name, items=[item], parameters=ARGS.submitit(), script="job.sh", **more)
    return evolve(one, members=(("m", item),))


def test_a_script_is_run_with_slurms_variables(tmp_path):
    scripts = [script("m.0", 0), script("m.2", 2)]
    run, _, jobs = prepare(tmp_path, *scripts, steps=[step("m", count=3)])
    job = jobs["m.2"]
    gate = (f"{run.folder}/gate.sh", f"{run.folder}/jobs/m.2", "2", f"{run.id}_2")
    assert (job.argv, job.cwd) == ((*gate, f"{run.folder}/job.sh"), f"{run.folder}/cwd")
    assert job.stdout == job.stderr == f"{run.folder}/cwd/slurm-{run.id}_2.out"
    environment = dict(job.env)
    assert environment.pop("PATH") == f"{run.folder}/local/1/bin:{os.environ['PATH']}"
    assert environment == {
        "SLURM_ARRAY_TASK_ID": "2", "SLURM_ARRAY_TASK_COUNT": "3", "SLURM_ARRAY_TASK_MIN": "0",
        "SLURM_ARRAY_TASK_MAX": "2", "SLURM_ARRAY_JOB_ID": run.id, "SLURM_JOB_ID": f"{run.id}_2", "SLURM_JOB_NAME": "p",
        "SLURM_CPUS_PER_TASK": "2", "SLURM_SUBMIT_DIR": f"{run.folder}/cwd",
    }  # fmt: skip


def test_an_srun_that_needs_no_slurm(tmp_path):
    run, _, _ = prepare(tmp_path, script("m.0", 0))
    srun = run.folder.path / "local" / "1" / "bin" / "srun"

    def output(*words):
        return subprocess.run([srun, *words], capture_output=True, text=True, check=True).stdout

    assert output("echo", "a b", "-n") == "a b -n\n"
    assert output("-n", "4", "-l", "--mem=1G", "--exclusive", "echo", "x") == "x\n"
    assert subprocess.run([srun, "-u", "sh", "-c", "exit 3"], check=False).returncode == 3


@pytest.mark.parametrize(("attempt", "name"), [(1, "slurm-{}_%a.out"), (2, "slurm-{}_%a~2.out")])
def test_where_a_script_sends_its_output(tmp_path, attempt, name):
    one = script("m.0", 0, attempt=attempt)
    run = stored_run(tmp_path, one)
    assert BACKEND.output_patterns(run.request(one), "") == [name.format(run.id)]


# -- sending and following -------------------------------------------------------------------------------------


def test_jobs_are_called_by_their_attempt_and_name(tmp_path, started):
    again = evolve(local("a"), name="a~2", attempt=2)
    run, _, _ = prepare(tmp_path, local("a"), local("b"), again, attempt=2)
    assert BACKEND.send([run.request(one) for one in run.submissions[:2]]) == ["1/a", "1/b"]
    assert BACKEND.send([run.request(again)]) == ["2/a~2"]
    assert started == [run.folder.path / "local" / "1", run.folder.path / "local" / "2"]
    assert BACKEND.find_token("token-a", 0.0) is None


def write_events(run, attempt, *events):
    for event in events:
        append(journal_path(run.folder.path / "local" / str(attempt)), line_of(event, JOB_EVENTS))


@pytest.fixture
def run(tmp_path):
    """A run of a, b and, tried again, a; the first attempt has ended."""
    again = evolve(local("a"), name="a~2", attempt=2)
    run, _, _ = prepare(tmp_path, local("a"), local("b"), again, attempt=2)
    write_events(
        run, 1, JobIntent("a", 1, time=5.0), JobStart("a", 7, 1, time=10.0), JobEnd("a", "FAILED", 3, "exit status 3", None, 1.5, 99, time=12.4),
        JobEnd("b", "CANCELLED", None, "never", time=13.0),
    )  # fmt: skip
    return run


def test_what_is_known_of_jobs(run, started):
    name_scheduler(run.folder.path / "local" / "2")
    elements = [("1/a", None), ("1/b", 4), ("2/a~2", None)]
    infos = BACKEND.states(run.folder.path, {job: "" for job, _ in elements}, elements).infos
    assert infos == {
        ("1/a", None): JobInfo("FAILED", "exit status 3", elapsed="2 s", exit="3", started=10.0, ended=12.4, job="a"),
        ("1/b", 4): JobInfo("CANCELLED", "never", ended=13.0, job="b"),
        ("2/a~2", None): JobInfo("PENDING", job="a~2"),
    }
    assert started == []


def test_what_jobs_used(run):
    infos = BACKEND.states(run.folder.path, {"1/a": "", "2/a~2": ""}, usage=True).infos
    asked = Usage(cores=2, memory=5, gpus=1, limit=60, reserved=2)
    assert infos["1/a", None].usage == evolve(asked, peak=99, cpu=1.5)
    assert infos["2/a~2", None].usage == asked
    assert BACKEND.states(run.folder.path, {"1/a": ""}).infos["1/a", None].usage is None


def test_a_job_whose_scheduler_has_gone_says_so_and_nothing_is_started(run, started):
    folder = run.folder.path / "local" / "2"
    write_events(run, 2, JobIntent("a~2", 1), JobStart("a~2", 7, 1))
    before = sorted(folder.iterdir())
    reason = f"its scheduler has gone: to start another: launchers resume {run.folder.path}"
    assert info(run, "2/a~2").reason == reason
    assert info(run, "1/a").reason == "exit status 3"
    write_health(folder, Health(trouble="No space left on device"))
    assert "No space left on device" in info(run, "2/a~2").reason
    name_scheduler(folder)
    assert info(run, "2/a~2").reason == ""  # it runs, whatever keeps others from it
    assert started == []
    assert sorted([*before, folder / "scheduler.pid"]) == sorted([*folder.iterdir(), folder / ".scheduler.pid"])


def info(run, job):
    return BACKEND.states(run.folder.path, {job: "token"}).infos[job, None]


def test_a_job_that_waits_says_what_its_scheduler_suffers_from(run):
    folder = run.folder.path / "local" / "2"
    name_scheduler(folder)
    write_health(folder, Health(trouble="No space left on device: /x/tries"))
    assert info(run, "2/a~2").reason == "No space left on device: /x/tries"


@pytest.mark.parametrize("jump", [7200, -7200])
def test_setting_the_clock_changes_nothing_about_how_long_a_job_ran(run, monkeypatch, jump):
    me = process(os.getpid())
    now = time.time()
    write_events(run, 2, JobIntent("a~2", 1), JobStart("a~2", me.pid, me.born, me.boot, me.pids, time=now))
    monkeypatch.setattr("time.time", lambda: now + jump)
    assert 0 <= int(info(run, "2/a~2").elapsed.split()[0]) <= me.age() + 1
    write_events(run, 2, JobEnd("a~2", "COMPLETED", 0, "", 12.4))
    found = info(run, "2/a~2")
    assert (found.elapsed, found.started, found.ended) == ("12 s", now, now + 12.4)


def test_a_job_of_another_machine_has_no_negative_time(run, monkeypatch):
    write_events(run, 2, JobIntent("a~2", 1), JobStart("a~2", 1, 1, "0" * 16, "0" * 16, time=time.time() + 7200))
    assert info(run, "2/a~2").elapsed == "0 s"


def test_to_cancel_jobs_of_several_attempts(run, monkeypatch):
    cancelled = []
    monkeypatch.setattr(control, "cancel_jobs", lambda folder, ids: cancelled.append((folder.name, list(ids))))
    BACKEND.cancel(run.folder.path, [("2/a~2", None), ("1/b", None), ("1/a", None)], {})
    assert cancelled == [("1", ["b", "a"]), ("2", ["a~2"])]


def test_schedulers_that_were_killed_come_back(run, monkeypatch):
    asked = []
    monkeypatch.setattr(control, "revive_scheduler", lambda folder: asked.append(folder.name))
    BACKEND.revive(run.folder.path, ["2/a~2", "1/a"])
    assert asked == ["1", "2"]


def test_what_this_machine_is_for_plans():
    assert (BACKEND.supports_arrays, BACKEND.sends_attempts_whole, BACKEND.forgets_jobs) == (False, True, False)
    assert (BACKEND.largest_array(), BACKEND.missing_commands(), BACKEND.grace) == (1, (), 0.0)


# -- functions, one by one -------------------------------------------------------------------------------------


def test_a_function_is_run_under_this_machines_scheduler(tmp_path):
    executor = BACKEND.executor(tmp_path / "jobs", evolve(ARGS, wanted=()), name="adding")
    job = BACKEND.submit_function(executor, ARGS, sum, [1, 2])
    assert job.result() == 3
    (table,) = read_table(job.scheduler_folder)[1].values()
    assert (table.name, table.cores, table.time_limit, table.warning, table.requeue) == ("adding", 2, 60, 0, 144)
    assert Path(table.cwd) == Path.cwd()
