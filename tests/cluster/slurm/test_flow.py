"""Flows on the real Slurm: the shapes that people know from other tools, and what those tools get wrong."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from flows import log, newest_run, write_page
from following import states, until

from launchers.cli import main

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def sbatches(slurm, tmp_path, monkeypatch):
    """How often sbatch was run, and how often srun with what: both are there, and write it down."""
    folder = tmp_path / "standins"
    folder.mkdir()
    (folder / "sbatch").write_text(f'#!/bin/sh\necho x >> {tmp_path}/sbatch.log\nexec /usr/bin/sbatch "$@"\n')
    (folder / "srun").write_text(  # pyxis is not here: its options are taken away
        f'#!/bin/bash\nprintf "%s\\n" "$@" > {tmp_path}/srun.log\n'
        'while [[ $1 == --container* ]]; do shift; done\nexec /usr/bin/srun "$@"\n'
    )
    for name in ("sbatch", "srun"):
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return lambda: len((tmp_path / "sbatch.log").read_text().split())


PIPELINE = """
name: finetune
args:
  model: "small-model"
  out: "out/{{ model }}"

jobs:
  - name: prepare
    command: ["python", "tell.py", "--out", "{{ out }}/data"]
    exports:
      DATA_PATH: "{{ out }}/data/done.txt"

  - name: fit
    command: ["python", "tell.py", "--model", "{{ model }}", "--data", "{{ deps.prepare.DATA_PATH }}"]
    depends_on: [prepare]
    gpus_per_node: 2
    environment:
      container:
        image: registry.example/torch:24.01
        mounts:
          - /data:/data
    exports:
      MODEL_PATH: "{{ out }}/best.pt"

  - name: score
    command: ["python", "tell.py", "--model", "{{ deps.fit.MODEL_PATH }}"]
    depends_on: [fit]
"""


def test_a_page_with_templates_exports_and_a_container_runs_as_it_is(sbatches, capsys, tmp_path, monkeypatch):
    """The shape of srunx's README: nothing but names differ."""
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}:{Path(sys.executable).parent}")
    Path("tell.py").write_text("import os, sys\nprint(sys.argv[1:], os.environ.get('SLURM_GPUS_ON_NODE'))\n")
    assert main(["flow", "run", write_page(PIPELINE)]) == 0
    run = newest_run()
    assert log(run, "prepare") == "['--out', 'out/small-model/data'] None\n"
    assert log(run, "fit") == "['--model', 'small-model', '--data', 'out/small-model/data/done.txt'] 2\n"
    assert log(run, "score") == "['--model', 'out/small-model/best.pt'] None\n"
    asked = (tmp_path / "srun.log").read_text().splitlines()
    mounts = f"--container-mounts=/data:/data,{run.folder}:{run.folder}"
    assert asked[:3] == ["--container-image=registry.example/torch:24.01", mounts, "python"]
    table = capsys.readouterr().out
    assert [line.split()[1] for line in table.splitlines()[2:]] == ["COMPLETED"] * 3
    assert oct(run.folder.stat().st_mode)[-3:] == "700"


def test_an_older_page_with_its_keys_in_the_job_and_conda_elsewhere(slurm, tmp_path, monkeypatch):
    """conda is nowhere near $HOME/miniconda3: it is asked where it is."""
    conda = tmp_path / "opt" / "forge" / "bin" / "conda"
    conda.parent.mkdir(parents=True)
    conda.write_text("#!/bin/sh\necho 'conda() { export IN_ENV=\"$2\"; }'\n")
    conda.chmod(0o755)
    monkeypatch.setenv("CONDA_EXE", str(conda))
    monkeypatch.setenv("HOME", str(tmp_path / "nowhere"))
    text = """
name: older
jobs:
  - {name: preprocess, command: [sh, -c, "echo $SLURM_JOB_NUM_NODES"], nodes: 1}
  - {name: train, command: [sh, -c, "echo $IN_ENV $SLURM_GPUS_ON_NODE"], depends_on: [preprocess], gpus_per_node: 2, conda: ml_env}
"""
    assert main(["flow", "run", write_page(text)]) == 0
    assert log(newest_run(), "preprocess") == "1\n"
    assert log(newest_run(), "train") == "ml_env 2\n"


@pytest.fixture
def diamond(slurm):
    (Path.cwd() / "diamond.yaml").write_text((ROOT / "examples" / "diamond.yaml").read_text())
    return "diamond.yaml"


def test_the_diamond(diamond, capsys):
    assert main(["flow", "run", diamond]) == 0
    run = newest_run()
    assert set(states(run).values()) == {"COMPLETED"}
    assert len(states(run)) == 5


GRID = """
name: grid
args: {lr: 0.1, seed: 1}
sweep:
  matrix: {lr: [0.001, 0.01, 0.1], seed: [1, 2, 3]}
  max_parallel: 4
  fail_fast: false
jobs:
  - name: data
    command: "echo N=7 >> $LAUNCHERS_OUTPUT"
  - name: train
    command: "echo SCORE={{ lr }}:{{ seed }}:$N >> $LAUNCHERS_OUTPUT"
    depends_on: [data]
    needs: "cuda(mem=20G) & duration=10m"
  - name: test
    command: ["sh", "-c", "echo {{ lr }} {{ seed }} $SCORE"]
    depends_on: [train]
  - name: best
    once: true
    command: "cat {{ run.dir }}/steps/train/output.*"
    depends_on: [test]
"""


def test_a_sweep_of_nine_is_arrays(sbatches):
    """28 jobs of other tools are four calls of sbatch: what is alike in all cells is one job, the others are arrays."""
    assert main(["flow", "run", write_page(GRID)]) == 0
    assert sbatches() == 4
    run = newest_run()
    assert {step.name: len(step.members) for step in run.status()} == {"data": 1, "train": 9, "test": 9, "best": 1}
    assert log(run, "test", 5) == "0.01 3 0.01:3:7\n"
    assert len(log(run, "best").splitlines()) == 9
    script = next((run.folder / "jobs" / "train").glob("*.sh")).read_text()
    assert "#SBATCH --array=0-8%4" in script
    assert "--signal" not in script


def test_a_sweep_that_fails_fast(slurm):
    text = """
name: fast
args: {n: 0}
sweep: {matrix: {n: [0, 1, 2]}, fail_fast: true}
jobs:
  - {name: a, command: "[ {{ n }} = 1 ] && exit 1; sleep 60"}
  - {name: b, command: [echo, b], depends_on: [a]}
"""
    started = time.monotonic()
    assert main(["flow", "run", write_page(text)]) == 1
    assert time.monotonic() - started < 50
    counts = {step.name: dict(step.counts) for step in newest_run().status()}
    assert counts == {"a": {"FAILED": 1, "CANCELLED": 2}, "b": {"CANCELLED": 3}}


def test_cells_that_ask_for_different_things_keep_their_bounds(slurm):
    """They cannot be arrays: an earlier cell's end is waited for, and the first failure cancels the others."""
    text = """
name: apart
args: {n: 0}
sweep: {matrix: {n: [1, 2, 3, 4]}, max_parallel: 2, fail_fast: true}
jobs:
  - {name: a, command: "[ {{ n }} = 2 ] && sleep 5 && exit 1; sleep 30", needs: "cpu(cores={{ n }})"}
"""
    assert main(["flow", "run", write_page(text), "--detach"]) == 0
    run = newest_run()
    until(lambda: run["a-1"].state == "RUNNING", 60)
    assert states(run)["a-2"] == "PENDING"
    assert not run.wait(60, check=False)
    assert states(run) == {"a-0": "CANCELLED", "a-1": "FAILED", "a-2": "CANCELLED", "a-3": "CANCELLED"}


# -- what other tools get wrong ----------------------------------------------------------------------------------


def test_the_client_is_killed_and_the_rest_runs(slurm, tmp_path):
    text = """
name: killed
jobs:
  - {name: a, command: "sleep 3"}
  - {name: b, command: [touch, b.done], depends_on: [a]}
  - {name: c, command: [touch, c.done], depends_on: [b]}
"""
    client = subprocess.Popen(
        [sys.executable, "-m", "launchers", "flow", "run", write_page(text)], stdout=subprocess.DEVNULL
    )
    until(lambda: any(Path("runs").glob("*/plan.json")), 60)
    until(lambda: len(newest_run().record.folder.journal.state().jobs) == 3, 60)
    os.kill(client.pid, signal.SIGKILL)
    client.wait()
    assert not (tmp_path / "b.done").exists()
    until(lambda: (tmp_path / "c.done").exists(), 60)
    assert newest_run().wait(30)


def test_running_out_of_memory_is_an_end(slurm, capsys, tmp_path, monkeypatch):
    """A state that others wait for for ever; the ends of the logs are shown.

    Without cgroups this cluster says FAILED of such a job: what it says is put as one with cgroups does.
    """
    for name in ("squeue", "sacct"):
        (tmp_path / name).write_text(f'#!/bin/sh\n/usr/bin/{name} "$@" | sed s/FAILED/OUT_OF_MEMORY/g\n')
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    text = """
name: oom
jobs:
  - {name: eats, command: ["python3", "-c", "print('eating', flush=True); x = 'a' * 900_000_000; import time; time.sleep(60)"], memory_per_node: 200M}
  - {name: after, command: [ls], depends_on: [eats]}
  - {name: told, command: [echo, told], depends_on: ["afternotok:eats"]}
"""
    assert main(["flow", "run", write_page(text)]) == 1
    run = newest_run()
    assert states(run) == {"eats": "OUT_OF_MEMORY", "after": "CANCELLED", "told": "COMPLETED"}
    assert "Exceeded job memory limit" in capsys.readouterr().err


def test_a_cancelled_job_is_an_end(slurm):
    text = "name: x\njobs:\n- {name: a, command: 'sleep 60'}\n- {name: b, command: [ls], depends_on: [a]}\n"
    assert main(["flow", "run", write_page(text), "--detach"]) == 0
    run = newest_run()
    until(lambda: states(run)["a"] == "RUNNING", 60)
    slurm.command("scancel", run.record.folder.journal.state().jobs["a"])
    assert main(["wait", run.folder.name, "--timeout", "60"]) == 1
    assert states(run) == {"a": "CANCELLED", "b": "CANCELLED"}


def test_after_a_failure_what_waits_for_it_runs_and_other_branches_go_on(slurm, capsys):
    text = """
name: typed
jobs:
  - {name: bad, command: "echo last words; exit 3", exports: {KEY: value}}
  - {name: anyway, command: [echo, "{{ deps.bad.KEY }}"], depends_on: ["afterany:bad"]}
  - {name: rescue, command: [echo, "{{ deps.bad.KEY }}"], depends_on: ["afternotok:bad"]}
  - {name: begun, command: [echo, begun], depends_on: ["after:bad"]}
  - {name: never, command: [echo, never], depends_on: [bad]}
  - {name: other, command: [echo, other]}
  - {name: further, command: [echo, further], depends_on: ["afterok:other"]}
"""
    assert main(["flow", "run", write_page(text)]) == 1
    run = newest_run()
    assert states(run) == {
        "bad": "FAILED", "anyway": "COMPLETED", "rescue": "COMPLETED", "begun": "COMPLETED", "never": "CANCELLED",
        "other": "COMPLETED", "further": "COMPLETED",
    }  # fmt: skip
    assert log(run, "rescue") == log(run, "anyway") == "value\n"
    said = capsys.readouterr()
    assert f"---- the end of: launchers logs {run.folder.name} bad\nlast words" in said.err
    assert "never" not in said.err


def test_more_in_flight_than_eight(slurm):
    jobs = "\n".join(f"- {{name: j{n}, command: 'sleep 4', cpus_per_task: 1}}" for n in range(12))
    assert main(["flow", "run", write_page(f"name: many\njobs:\n{jobs}\n"), "--detach"]) == 0
    run = newest_run()
    until(lambda: sum(one == "RUNNING" for one in states(run).values()) > 8, 60)
    run.cancel()


def test_from_slices_the_graph_and_its_jobs_wait_for_each_other(diamond):
    assert main(["flow", "run", diamond]) == 0
    first = newest_run()
    assert main(["flow", "run", diamond, "--from", "clean", "--to", "evaluate"]) == 0
    again = newest_run()
    assert again.folder != first.folder
    names = [task.name for task in again.record.steps]
    assert names == ["clean", "train", "evaluate"]
    assert {task.name: dict(task.waits) for task in again.record.steps}["evaluate"] == {"train": "ok"}


def test_unknown_keys_are_refused_before_anything_is_submitted(sbatches, capsys):
    assert main(["flow", "run", write_page("name: x\njobs:\n- {name: a, command: [ls], dependson: [b]}\n")]) == 2
    assert "unknown key 'dependson' (did you mean depends_on?)" in capsys.readouterr().err
    assert not Path("runs").exists()


# -- retries and messages ---------------------------------------------------------------------------------------


def test_retries_with_more_are_submitted_by_the_next_resume(slurm, capsys, tmp_path):
    text = """
name: more
jobs:
  - name: a
    needs: "cpu(mem=100M, cores=1) & duration=5m"
    escalate: "mem*3"
    command: ["sh", "-c", "echo $SLURM_MEM_PER_NODE; test $SLURM_MEM_PER_NODE -ge 300"]
  - {name: b, command: [echo, b], depends_on: [a]}
"""
    assert main(["flow", "run", write_page(text), "--detach"]) == 0
    assert "if a fails, launchers wait or launchers resume submits it again with mem*3" in capsys.readouterr().err
    run = newest_run()
    assert not run.wait(60, check=False)
    assert main(["status", run.folder.name]) == 0
    again = f"a failed: launchers resume {run.folder.name} submits it again with mem*3"
    assert again in capsys.readouterr().err
    assert main(["resume", run.folder.name]) == 0
    assert "a failed: submitted again with mem*3" in capsys.readouterr().err
    assert main(["wait", run.folder.name, "--timeout", "60"]) == 0
    assert states(newest_run()) == {"a": "COMPLETED", "b": "COMPLETED"}


def test_the_webhook_hears_of_it_after_the_client_is_gone(slurm, webhook, monkeypatch):
    monkeypatch.setenv("HOOK", webhook.url)
    text = """
name: told
notify: {urls: [$HOOK]}
jobs:
  - {name: a, command: "sleep 2"}
  - {name: bad, command: "exit 1", depends_on: [a]}
"""
    assert main(["flow", "run", write_page(text), "--detach"]) == 0
    run = newest_run()
    until(lambda: len(webhook.heard) == 2, 60)
    started, failed = webhook.heard
    assert started["title"] == f"told {run.record.id} started"
    assert failed["title"] == f"told {run.record.id} failed"
    assert "bad: FAILED" in failed["message"]
    assert run.wait(60, check=False) is False
    webhook.nowhere_in(run.folder)
