"""What a run used, as the real accounting has it."""

import os
import time
from pathlib import Path

import pytest
from steps import double, fail, hold, spin

from launchers.cli import main
from launchers.plan import Chain, Map, Parallel, Plan, Step
from launchers.report.advise import advise
from launchers.report.page import page
from launchers.requirement import parse

BUILDERS = Path(__file__).resolve().parents[2] / "builders"
CPU = "cpu(cores=1, mem=200M) & duration=10m"


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """What a plan names, the node imports."""
    monkeypatch.setenv("PYTHONPATH", str(BUILDERS))


def accounted(run, patience=30):
    """The advice once accounting has caught up with the controller: it lags it by seconds."""
    deadline = time.monotonic() + patience
    while True:
        found = advise(run)
        if all(advice.used.seconds is not None for advice in found) or time.monotonic() > deadline:
            return found
        time.sleep(1)


def test_asked_and_used(slurm, capsys):
    """The test bed samples every 5 s, so what is to be measured lasts longer."""
    plan = Plan(
        "used",
        Chain(
            Map("holds", "cpu(cores=2, mem=2G) & duration=3h", hold, [(150, 12), (20, 7)]),
            Step("spins", "cpu(cores=2, mem=400M) & duration=1h", spin, 12),
            Step("short", CPU, double, 1),
        ),
    )
    run = plan.submit()
    assert run.wait(110)
    holds, spins, short = accounted(run)
    assert holds.asked.seconds == 3 * 3600
    assert holds.asked.memory == 2 * 1024**3
    assert 150e6 < holds.used.memory < 400e6
    assert 12 <= holds.used.seconds < 60
    assert holds.used.cores < 0.6
    assert holds.changed
    (enough,) = parse(str(holds.enough)).alternatives
    assert holds.used.memory < enough.cpu_memory < 600e6
    assert (enough.cores, enough.duration) == (1, 60)
    assert spins.used.cores > 0.3  # of a machine that others use as well
    assert short.used.memory is None
    assert short.enough.alternatives[0].cpu_memory == 200 * 1024**2
    assert any("not measured" in note for note in short.notes)
    assert main(["advise", str(run.folder)]) == 0
    assert f"{holds.enough}\n" in capsys.readouterr().out
    text = page(run)
    assert str(holds.enough).replace("&", "&amp;") in text
    assert text.count('class="strip') == 3
    steps = {step.name: step for step in run.status()}
    (info,) = (job.info for job in steps["spins"].members)
    assert info.submitted < info.eligible <= info.started < info.ended
    assert info.eligible >= max(job.info.ended for job in steps["holds"].members) - 1
    assert info.usage is None  # status does not ask the steps


def test_without_accounting(slurm, capsys, monkeypatch, tmp_path):
    """Where sacct does not answer, squeue still tells times; nothing else is made up."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "sacct").write_text("#!/bin/sh\necho 'Slurm accounting storage is disabled' >&2\nexit 1\n")
    (folder / "sacct").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    never = Chain(Step("bad", CPU, fail), Step("never", CPU, double, 1))
    run = Plan("p", Parallel(Step("short", CPU, double, 1), never)).submit()
    assert not run.wait(60, check=False)
    advice = advise(run)[0]
    assert (advice.used.memory, advice.used.cores) == (None, None)
    assert advice.asked.seconds == 600
    assert str(advice.enough) == "duration=1m & cpu(mem=200M, cores=1)"
    text = page(run)
    assert "no such luck" in text.partition('id="graph"')[0]
    assert "1 cancelled" in text
    for _ in ("squeue alone", "sacct as well"):
        (job,) = run.status()[2].members
        assert (job.info.state, job.info.started) == ("CANCELLED", None)
        (folder / "sacct").unlink(missing_ok=True)
