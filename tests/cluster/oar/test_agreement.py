"""The broker beside the real oarsub, in small: what it selects is accepted and starts where it should, what it refuses
is refused or waits for ever."""

import os
import subprocess
import time
from pathlib import Path

import pytest

import oar_testbed
from launchers import LauncherNotFoundError, find_launcher
from launchers.commands import LocalConnector
from launchers.jobs.state import ENDED
from launchers.launcher.groups import load_groups
from launchers.matching import match
from launchers.oar.args import OarArgs, sql_where
from launchers.oar.render import render
from launchers.oar.states import find_jobs, of_arrays
from launchers.requirement import parse

HOSTS = {node["host"]: node for node in oar_testbed.NODES}


def submit(args, command="true"):
    """The id of an accepted job, or what oarsub said."""
    outcome = LocalConnector().run(("oarsub", *args.flags(), "-O", "/dev/null", "-E", "/dev/null", command))
    for line in outcome.stdout.splitlines():
        if line.startswith("OAR_JOB_ID=") and line.partition("=")[2].isdigit():
            return line.partition("=")[2]
    return outcome.stderr or outcome.stdout


def ended(job, seconds=40):
    """What became of a job."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        (found,) = find_jobs(LocalConnector(), of_arrays([job]))
        if found.state in ENDED:
            return found
        time.sleep(0.3)
    return found


@pytest.mark.parametrize(
    ("need", "hosts"),
    [
        ("cpu(cores=1) & duration=5m", set(HOSTS)),
        ("cpu(cores=4, mem=100G) & duration=5m", {"ampere-1"}),
        ("cpu(mem=40G) & duration=5m", {"volta-1", "pascal-1", "ampere-1"}),
        ("cpu(cores=3) & nodes=2 & duration=5m", {"plain-1", "plain-2"}),
        ("cuda(mem=24G) & duration=5m", {"volta-1"}),
        ("cuda(mem=16G)*2 & duration=5m", {"pascal-1"}),
        ("cuda(model=A100)*3 & duration=5m", {"ampere-1"}),
        ("cuda(mem=30G) & cpu(cores=4) & duration=5m", {"volta-1"}),
        ("cuda(mem=30G)*2 & nodes=2 & duration=5m", {"volta-1", "ampere-1"}),
        ("cuda(mem=10G) & cpu(mem=100G) & duration=5m", {"ampere-1"}),
    ],
)
def test_what_is_selected_runs_where_it_fits(oar, need, hosts):
    launcher = find_launcher(need, tags="grid")
    job = submit(launcher.oar_args)
    assert job.isdigit(), job
    found = ended(job)
    assert found.state == "COMPLETED"
    assert set(found.hosts) <= hosts
    wanted = launcher.selection.alternative
    assert len(found.hosts) == wanted.nodes
    resources = subprocess.run(["oarstat", "-p", "-j", job], capture_output=True, text=True, check=True).stdout
    each = [line for line in resources.splitlines() if "core" in line]
    assert len(each) >= max(1, wanted.cores) * wanted.nodes
    gpus = {word for line in each for word in line.split(", ") if word.replace(" ", "").startswith("gpu=")}
    assert len(gpus) >= len(wanted.accelerators)


@pytest.mark.parametrize(
    "need",
    [
        "cpu(cores=5)", "cpu(cores=1) & nodes=6", "cuda(mem=24G)*3 & cpu(cores=1) & cuda(mem=16G)*2", "cuda(mem=80G)",
        "cuda(model=A100)*5", "cpu(mem=200G)", "cuda(mem=30G)*3 & nodes=2", "cuda(model=H100)",
    ],
)  # fmt: skip
def test_what_is_refused_oarsub_refuses(oar, need):
    """The same request in OAR's words, made by hand here: the broker's reasons are OAR's."""
    with pytest.raises(LauncherNotFoundError):
        find_launcher(f"{need} & duration=5m", tags="grid")
    (wanted,) = parse(need).alternatives
    conditions = [f"gpu_mem >= {one.memory // 1024**2}" for one in wanted.accelerators if one.memory]
    conditions += [f"gpu_model = '{one.model}'" for one in wanted.accelerators if one.model]
    conditions += [f"memnode >= {wanted.cpu_memory // 1024**2}"] if wanted.cpu_memory else []
    gpus = len(wanted.accelerators)
    args = OarArgs(
        levels=(("host", wanted.nodes), ("gpu", gpus) if gpus else ("core", wanted.cores or 1)),
        guard="gpu_count > 0" if gpus else "",
        properties=" AND ".join(dict.fromkeys(conditions)),
        walltime=300,
    )
    assert "There are not enough resources" in submit(args)


def test_a_walltime_beyond_the_queue(oar):
    Path("launchers.yaml").write_text(
        "oar: [{id: grid, query_oar: true, queues: {default: {limits: {max_duration: 1h}}, besteffort: {disabled: true}}}]\n"
    )
    with pytest.raises(LauncherNotFoundError, match="needs 2 hours; queue default allows 1 hour"):
        find_launcher("cpu(cores=1) & duration=2h")


def test_without_the_guard_a_node_without_gpus_is_given(oar):
    """Why the guard is there: before 2.6, NULL counts as one GPU."""
    args = find_launcher("cuda(mem=16G) & duration=5m", tags="grid").oar_args
    assert args.guard == "gpu_count > 0"
    bare = OarArgs(levels=args.levels, walltime=300, properties="cluster = 'plain'")
    assert submit(bare).isdigit() == (oar.version < (2, 6))
    guarded = OarArgs(levels=args.levels, walltime=300, properties="cluster = 'plain'", guard=args.guard)
    assert "There are not enough resources" in submit(guarded)


@pytest.mark.parametrize(
    "model", ["O'Brien", "x' OR '1'='1", "'; DROP TABLE jobs; --", 'a"b', "A100{}/host=1", "%_", "é'"]
)
def test_a_quote_does_not_break_out(oar, model):
    """No such GPU: refused as that, not as bad SQL, and nothing else is granted."""
    args = OarArgs(levels=(("host", 1),), walltime=60, properties=sql_where([[f"gpu_model={model}"]]))
    assert "There are not enough resources" in submit(args)


def test_types_and_the_oarsub_lines(oar):
    """A besteffort queue, and #OAR lines as oarsub -S reads them."""
    (group,) = (one for one in load_groups()[0] if one.name == "grid")
    assert {one.name for one in group.partitions} == {"default", "besteffort"}
    Path("launchers.yaml").write_text(
        "oar: [{id: grid, query_oar: true, queues: {default: {disabled: true}, "
        "besteffort: {types: [besteffort, idempotent], properties: {production: NO}}}}]\n"
    )
    launcher = find_launcher("cpu(cores=2) & duration=5m", tags="besteffort")
    assert launcher.oar_args.types == ("besteffort", "idempotent")
    script = Path("script.sh")
    script.write_text("#!/bin/sh\n" + launcher.oarsub() + "\ntrue\n")
    script.chmod(0o755)
    argv, env = ["oarsub", "-S", str(script.absolute())], {**os.environ, "PWD": str(Path.cwd())}
    said = subprocess.run(argv, capture_output=True, text=True, check=False, env=env)
    assert said.returncode == 0, said.stderr
    job = next(line for line in said.stdout.splitlines() if line.startswith("OAR_JOB_ID=")).partition("=")[2]
    found = ended(job)
    assert (found.state, found.queue) == ("COMPLETED", "besteffort")
    assert set(found.hosts) <= {"plain-1", "plain-2"}


def test_the_answer_names_its_cluster(oar):
    groups, _ = load_groups()
    answer = match(parse("cuda(mem=24G)"), groups, tags="grid")
    assert render(answer.selection).queue == "default"
