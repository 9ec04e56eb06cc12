"""Flows for tests: pages made of Python values, plans of them, and what is wrong with a page."""

from pathlib import Path

import yaml

from launchers.files.problems import ConfigError
from launchers.flow.compile import compile_plan, job_identities, lay_out
from launchers.flow.read import loads
from launchers.plan.graph import graph_of
from launchers.runs.run import open_run


def job(name="a", command="ls", **keys):
    """A job of a page; None for a command leaves it out."""
    keys = {key.rstrip("_"): value for key, value in keys.items()}
    return {"name": name, **({} if command is None else {"command": command}), **keys}


def page(*jobs, **keys):
    """The text of a flow."""
    return yaml.safe_dump({"name": "x", **keys, "jobs": list(jobs)}, sort_keys=False)


def flow(*jobs, **keys):
    """A flow of these jobs."""
    return loads(page(*jobs, **keys))


def only_job(**keys):
    """The only job of a flow, by its keys."""
    return flow(job(**keys)).jobs["a"]


def sweep(values=(1, 2, 3), **more):
    """Keys of a page that sweeps `n`."""
    return {"args": {"n": 0}, "sweep": {"matrix": {"n": list(values)}, **more}}


def plan_of(flow, left_out=None):
    """The plan of a flow."""
    return compile_plan(lay_out(flow, left_out), job_identities(flow))


def steps_of(flow, left_out=None):
    """The steps of a flow's plan by their names."""
    return {task.name: task.step for task in graph_of(plan_of(flow, left_out)).tasks}


def tasks_of(flow, left_out=None):
    """For each step of a flow's plan how many jobs it is, and what it waits for."""
    return {task.name: (task.count, dict(task.waits)) for task in graph_of(plan_of(flow, left_out)).tasks}


def problems(text, **options):
    """Everything that is wrong with a page: ``LINE:COLUMN CODE PATH: MESSAGE (SUGGESTION)``."""
    try:
        loads(text, **options)
    except ConfigError as error:
        return [
            f"{problem.line}:{problem.column} {problem.code} {problem.path}: {problem.message} ({problem.suggestion})"
            for problem in error.problems
        ]
    return []


def codes(*jobs, **keys):
    """What is wrong with a page, without places and messages: ``CODE PATH``."""
    return [problem.partition(" ")[2].partition(": ")[0] for problem in problems(page(*jobs, **keys))]


def with_keys(keys):
    """The text of a flow of one job that has these keys, too, from line 5, column 3 on."""
    return f"name: x\njobs:\n- name: a\n  command: [ls]\n  {keys}\n"


def write_page(text, name="f.yaml"):
    """Write a page into the current folder; its name."""
    Path(name).write_text(text)
    return name


def newest_run():
    """The newest run in ./runs."""
    return open_run(max(Path("runs").iterdir(), key=lambda path: path.stat().st_mtime_ns))


def log(run, step, item=None):
    """What a job wrote, without the lines of submitit's logger."""
    lines = "".join(path.read_text() for path in run.logs(step, item)).splitlines(True)
    return "".join(line for line in lines if "submitit" not in line)


EVERYTHING = """
name: finetune.v1
args: {model: base, out: "out/{{ model }}", lr: 0.1, seed: 1}
defaults:
  needs: "cpu(cores=2)"
  environment: {venv: /venv, env: {A: 1, B: 2}}
  retry: 2
sweep:
  matrix: {lr: [0.1, 0.2]}
  include: [{lr: 0.3, seed: 5}]
  exclude: [{lr: 0.2}]
  max_parallel: 3
  fail_fast: true
notify: {urls: [$HOOK], on: [finished, failed]}
jobs:
  - name: prepare
    command: ["python", "prepare.py", "--out", "{{ out }}"]
    exports: {DATA: "{{ out }}/data"}
  - name: train
    script: train.sh
    depends_on: [prepare]
    resources: {nodes: 2, gpus_per_node: 2, ntasks_per_node: 4, cpus_per_task: 3, memory_per_node: 32GB, time_limit: "4:00:00",
                partition: "gpu,big", nodelist: "n[1-2]", account: a, qos: q, constraint: "x&y", mail_type: [END, FAIL], mail_user: u}
    environment: {conda: ml_env, modules: [gcc], env: {B: 3}}
    setup: ["export A=1"]
    teardown: "rm x"
    work_dir: /tmp
    retry: 0
    retry_delay: 5
    inputs: [a]
    outputs: [b]
  - name: score
    python: steps:score
    with: {data: x, n: 3}
    depends_on: ["afterany:train", "after:prepare"]
    escalate: "mem*2"
    conda: older
"""
"""A page with almost every key."""
