"""A flow as a plan: what becomes one job, an array or many, what waits for what, and how it runs on this machine."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from launchers.cli import main
from launchers.flow.compile import compile_plan, job_identities, lay_out
from launchers.flow.read import loads
from launchers.plan.graph import graph_of
from launchers.plan.tree import Map
from launchers.runs.run import open_run


def plan(text):
    flow = loads(text)
    return compile_plan(lay_out(flow), job_identities(flow))


def tasks(text):
    """Per step how many jobs it is, and what it waits for."""
    found = graph_of(plan(text)).tasks
    return {task.name: (task.count, dict(task.waits)) for task in found}


SWEEP = "name: x\nargs: {n: 0}\nsweep: {matrix: {n: [1, 2, 3]}, max_parallel: 2, fail_fast: true}\njobs:\n"


def test_what_is_alike_in_all_cells_runs_once_and_the_others_are_arrays():
    text = (
        SWEEP
        + """
- {name: a, command: [ls]}
- {name: b, command: [ls, "{{ n }}"], depends_on: [a]}
- {name: c, command: [ls], depends_on: [b]}
- {name: d, command: [ls], depends_on: ["afterany:c"], once: true}
"""
    )
    assert tasks(text) == {"a": (1, {}), "b": (3, {"a": "ok"}), "c": (3, {"b": "each"}), "d": (1, {"c": "any"})}
    b = next(task.step for task in graph_of(plan(text)).tasks if task.name == "b")
    assert isinstance(b, Map)
    assert (b.at_once, b.fail_fast) == (2, True)


def test_cells_that_ask_for_different_things_are_jobs_each_that_wait_their_turn():
    text = (
        SWEEP
        + """
- {name: a, command: [ls]}
- {name: b, command: [ls], cpus_per_task: "{{ n }}", depends_on: [a]}
- {name: c, command: [ls], depends_on: [b]}
- {name: d, command: [ls], depends_on: [c], once: true}
"""
    )
    assert tasks(text) == {
        "a": (1, {}),
        "b-0": (1, {"a": "ok"}), "b-1": (1, {"a": "ok"}), "b-2": (1, {"b-0": "any", "c-0": "any", "a": "ok"}),
        "c-0": (1, {"b-0": "ok"}), "c-1": (1, {"b-1": "ok"}), "c-2": (1, {"b-2": "ok"}),
        "d": (1, {"c-0": "ok", "c-1": "ok", "c-2": "ok"}),
    }  # fmt: skip
    b = next(task.step for task in graph_of(plan(text)).tasks if task.name == "b-1")
    assert b.rivals == ("b-0", "b-2")


def test_aftercorr_is_of_the_same_cell_where_there_are_cells():
    jobs = """
- {name: a, command: [ls]}
- {name: b, command: [ls, "{{ n }}"], depends_on: ["aftercorr:a"]}
- {name: c, command: [ls], depends_on: ["aftercorr:b"]}
- {name: d, command: [ls], depends_on: ["aftercorr:c"], once: true}
"""
    assert tasks(SWEEP + jobs) == {"a": (1, {}), "b": (3, {"a": "ok"}), "c": (3, {"b": "each"}), "d": (1, {"c": "ok"})}
    assert tasks("name: x\nargs: {n: 0}\njobs:\n" + jobs)["c"] == (1, {"b": "ok"})


def test_typed_dependencies_within_a_cell_are_of_that_cell():
    text = (
        SWEEP
        + """
- {name: a, command: [ls, "{{ n }}"]}
- {name: b, command: [ls], depends_on: ["afternotok:a"]}
"""
    )
    assert tasks(text)["b-1"] == (1, {"a-1": "failed"})


def test_a_thousand_cells_are_compiled_in_seconds():
    text = "name: x\nargs: {n: 0}\nsweep: {matrix: {n: [" + ", ".join(map(str, range(1000))) + "]}}\njobs:\n"
    text += "- {name: a, command: [ls, '{{ n }}'], exports: {X: '{{ n }}'}}\n- {name: b, command: 'echo {{ deps.a.X }}', depends_on: a}\n"
    started = time.monotonic()
    assert tasks(text)["b"] == (1000, {"a": "each"})
    assert time.monotonic() - started < 20


# -- on this machine ---------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "launchers.yaml").write_text("local: [{id: here}]\n")


def flow(text, *options):
    """Run it; the run and the exit status."""
    Path("f.yaml").write_text(text)
    status = main(["flow", "run", "f.yaml", *options])
    runs = sorted(Path("runs").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    return open_run(runs[-1]), status


def states(run):
    return {step.name: step.state for step in run.status()}


def log(run, step, number=None):
    """What a job wrote, without the lines of submitit's logger, which name it."""
    lines = "".join(path.read_text() for path in run.logs(step, number)).splitlines(True)
    return "".join(line for line in lines if "submitit" not in line)


DIAMOND = """
name: diamond
jobs:
  - {name: a, command: "echo A=1 >> $LAUNCHERS_OUTPUT"}
  - {name: b, command: "echo B=$((A + 1)) >> $LAUNCHERS_OUTPUT", depends_on: [a]}
  - {name: c, command: "echo C=$((A + 2)) >> $LAUNCHERS_OUTPUT", depends_on: [a]}
  - {name: d, command: 'echo "sum $B $C, not ${A:-there}"', depends_on: [b, c]}
  - {name: e, command: [cat, "{{ run.dir }}/steps/d/script.sh"], depends_on: [d]}
"""


def test_values_that_jobs_hand_on_reach_those_that_wait_for_them():
    run, status = flow(DIAMOND)
    assert status == 0
    assert log(run, "d") == "sum 2 3, not there\n"
    assert "sum $B $C" in log(run, "e")


def test_a_bad_line_among_the_values_fails_the_job_that_wrote_it():
    run, status = flow("name: x\njobs:\n- {name: a, command: 'echo what is this >> $LAUNCHERS_OUTPUT'}\n")
    assert status == 1
    assert "'what is this' is not KEY=VALUE (what is written to $LAUNCHERS_OUTPUT)" in log(run, "a")


def test_max_parallel_holds_here_too():
    text = (
        SWEEP.replace(", fail_fast: true", "").replace("[1, 2, 3]", "[1, 2, 3, 4, 5, 6]")
        + """
- {name: a, command: "touch on.{{ n }}; ls on.* | wc -l; sleep 0.3; rm on.{{ n }}"}
"""
    )
    run, status = flow(text)
    assert status == 0
    seen = [int(log(run, "a", number)) for number in range(6)]
    assert max(seen) == 2


@pytest.mark.parametrize("needs", ["", ', needs: "cpu(mem={{ n }}M, cores=1)"'])
def test_fail_fast_here(needs):
    """Alike or not: the first failure cancels the other cells, and nothing else."""
    text = (
        SWEEP.replace("max_parallel: 2, ", "")
        + f"""
- {{name: a, command: "[ {{{{ n }}}} = 2 ] && sleep 1 && exit 1; sleep 60"{needs}}}
- {{name: other, command: "sleep 2"}}
"""
    )
    run, status = flow(text)
    assert status == 1
    counts = {}
    for step in run.status():
        for one in step.members:
            counts.setdefault(step.name.partition("-")[0], []).append(one.info.state)
    assert {name: sorted(found) for name, found in counts.items()} == {
        "a": ["CANCELLED", "CANCELLED", "FAILED"], "other": ["COMPLETED"],
    }  # fmt: skip


@pytest.mark.parametrize("needs", ["", ', needs: "cpu(mem={{ n }}M, cores=1)"'])
def test_fail_fast_spares_what_hangs_on_cells_that_succeeded(needs):
    text = (
        SWEEP.replace("max_parallel: 2, ", "")
        + f"""
- {{name: a, command: "case {{{{ n }}}} in 1) ;; 2) sleep 1.5; exit 1;; 3) sleep 60;; esac"{needs}}}
- {{name: b, command: "sleep 3", depends_on: [a]}}
"""
    )
    run, status = flow(text)
    assert status == 1
    found = {name: [] for name in ("a", "b")}
    for step in run.status():
        found[step.name.partition("-")[0]] += [one.info.state for one in step.members]
    assert found["a"] == ["COMPLETED", "FAILED", "CANCELLED"]
    assert found["b"] == ["COMPLETED", "CANCELLED", "CANCELLED"]


def test_retry_is_in_the_job():
    text = "name: x\njobs:\n- {name: a, command: 'echo x >> tries; test $(wc -l < tries) -ge 3', retry: 3, retry_delay: 0}\n"
    run, status = flow(text)
    assert status == 0
    assert "exit status 1, tried again in 0 s, 2 times left" in log(run, "a")
    assert Path("tries").read_text() == "x\n" * 3
    _, status = flow(text.replace("-ge 3", "-ge 30").replace("tries", "more"))
    assert status == 1
    assert Path("more").read_text() == "x\n" * 4


def test_more_is_asked_for_after_a_failure_and_what_hung_on_it_runs(capsys):
    text = """
name: x
jobs:
- {name: a, needs: "cpu(cores=1, mem=20M)", escalate: "mem*2", retry: 2, command: "echo x >> tries; test $(wc -l < tries) -ge 3"}
- {name: b, command: [echo, b], depends_on: [a]}
"""
    run, status = flow(text)
    assert status == 0
    assert states(run) == {"a": "COMPLETED", "b": "COMPLETED"}
    assert capsys.readouterr().err.count("a failed: submitted again with mem*2") == 2


def test_after_a_failure_what_waits_for_it_runs_and_other_branches_go_on(capsys):
    text = """
name: typed
jobs:
  - {name: bad, command: "echo last words; exit 3", exports: {KEY: value}}
  - {name: anyway, command: [echo, "{{ deps.bad.KEY }}"], depends_on: ["afterany:bad"]}
  - {name: rescue, command: [echo, "{{ deps.bad.KEY }}"], depends_on: ["afternotok:bad"]}
  - {name: never, command: [echo, never], depends_on: [bad]}
  - {name: other, command: [echo, other]}
  - {name: further, command: [echo, further], depends_on: [other]}
"""
    run, status = flow(text)
    assert status == 1
    assert states(run) == {
        "bad": "FAILED", "anyway": "COMPLETED", "rescue": "COMPLETED", "never": "CANCELLED", "other": "COMPLETED",
        "further": "COMPLETED",
    }  # fmt: skip
    said = capsys.readouterr()
    assert f"---- the end of: launchers logs {run.folder.name} bad\nlast words\n" in said.err
    assert said.out.splitlines()[2].split()[:2] == ["bad", "FAILED"]


HANDLED = """
name: handled
jobs:
  - {name: a, command: "STATUS"}
  - {name: rescue, command: "echo rescued", depends_on: ["afternotok:a"]}
  - {name: tell, command: "echo told", depends_on: [rescue]}
  - {name: last, command: "echo over", depends_on: ["afterany:rescue"]}
"""


def test_a_handler_that_nobody_needed_is_no_failure(capsys):
    run, status = flow(HANDLED.replace("STATUS", "true"))
    assert status == 0
    assert states(run) == {"a": "COMPLETED", "rescue": "CANCELLED", "tell": "CANCELLED", "last": "COMPLETED"}
    assert {step.name for step in run.status() if step.left_out} == {"rescue", "tell"}
    capsys.readouterr()
    assert main(["wait", str(run.folder)]) == 0
    assert capsys.readouterr().err == ""
    assert main(["status", "--json", str(run.folder)]) == 0
    assert json.loads(capsys.readouterr().out)["succeeded"] is True
    assert main(["flow", "run", "f.yaml", "--resume"]) == 0
    assert "everything is up to date" in capsys.readouterr().out


def test_a_handler_whose_parent_failed_is_not_left_out(capsys):
    run, status = flow(HANDLED.replace("STATUS", "false"))
    assert status == 1
    assert states(run) == {"a": "FAILED", "rescue": "COMPLETED", "tell": "COMPLETED", "last": "COMPLETED"}
    assert not any(step.left_out for step in run.status())
    run, status = flow("name: x\njobs:\n- {name: a, command: 'false'}\n- {name: b, command: ls, depends_on: [a]}\n")
    assert states(run)["b"] == "CANCELLED"
    assert not any(step.left_out for step in run.status())


def test_the_client_is_killed_and_the_rest_runs():
    Path("f.yaml").write_text(
        "name: x\njobs:\n- {name: a, command: 'touch on; sleep 2'}\n- {name: b, command: [touch, done], depends_on: [a]}\n"
    )
    client = subprocess.Popen([sys.executable, "-m", "launchers", "flow", "run", "f.yaml"], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not Path("on").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(client.pid, signal.SIGKILL)
    client.wait()
    while not Path("done").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert open_run(next(Path("runs").iterdir())).wait(10)


def test_a_flow_from_stdin(monkeypatch):
    done = subprocess.run(
        [sys.executable, "-m", "launchers", "flow", "run", "-"],
        input=DIAMOND,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "e     COMPLETED" in done.stdout
