"""Asked against used: on this machine, and from what accounting printed."""

import json
import math
from pathlib import Path

import pytest
from attrs import evolve
from recorded import GIB, Recorder
from steps import double, fail, hold

from launchers.cli import main
from launchers.jobs.usage import Usage
from launchers.plan import Chain, Map, Plan, Step
from launchers.quantities.words import rough_memory, rough_time
from launchers.report.advise import Amounts, advices, advise, rounded
from launchers.requirement import parse
from launchers.slurm.accounting import usage_of

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2] / "builders"))
    (tmp_path / "launchers.yaml").write_text("local: [{id: box, cpu: {cores: 2, memory: 2G}}]\n")


def one(root, *jobs, **more):
    """The advice for a single recorded step."""
    recorder = Recorder(root)
    recorder.step("s", jobs=jobs, **more)
    return advise(recorder.run())[0]


def test_what_was_measured_here(capsys):
    plan = Plan(
        "p",
        Chain(
            Step("holds", "cpu(cores=1, mem=2G) & duration=2h", hold, (150, 0.5)),
            Map("some", "cpu(cores=1)", double, range(3)),
            Step("bad", None, fail),
            Step("never", None, double, 1),
        ),
    )
    run = plan.submit()
    run.wait(60)
    holds, some, bad, never = advise(run)
    assert 150e6 < holds.used.memory < 300e6  # what the step holds, and Python
    assert 0.5 < holds.used.seconds < 60
    assert holds.asked == Amounts(7200, 2 * GIB, 1)
    assert holds.changed
    assert holds.enough.alternatives[0].cpu_memory in (200 * 1024**2, 300 * 1024**2, 400 * 1024**2)
    assert holds.enough.alternatives[0].duration < 7200
    assert (some.jobs, some.counted) == (3, 3)
    assert bad.enough is None
    assert never.notes == ("no job of it has succeeded: nothing to compare",)
    assert main(["advise"]) == 0
    out = capsys.readouterr().out
    assert f"of 2h  {rough_memory(holds.used.memory)} of 2G" in out
    assert str(holds.enough) in out
    assert "bad: no job of it has succeeded: nothing to compare" in out
    assert main(["advise", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    section = (ROOT / "docs" / "json.md").read_text().split("## advise")[1].split("\n## ")[0]
    assert {line.split("`")[1] for line in section.splitlines() if line.startswith("| `")} == set(told)
    for step in told["steps"]:
        assert set(step) == {*["name", "jobs", "counted", "asked", "used", "need", "enough", "changed", "notes"]}
        assert step["enough"] is None or str(parse(step["enough"])) == step["enough"]


def test_far_more_than_enough(tmp_path):
    advice = one(tmp_path, (0, 100, {"cpu": 150, "memory": 2 * GIB}))
    assert str(advice.enough) == "duration=3m & cpu(mem=3G, cores=2)"
    assert advice.notes == ()


def test_the_largest_of_a_map_counts(tmp_path):
    jobs = [(0, 100, {"memory": GIB, "cpu": 100})] * 9 + [(0, 1700, {"memory": 5 * GIB, "cpu": 6000})]
    advice = one(tmp_path, *jobs)
    assert str(advice.enough) == "duration=1h & cpu(mem=8G, cores=4)"
    assert not advice.changed


def test_what_is_about_right_is_kept(tmp_path):
    advice = one(tmp_path, (0, 2700, {"cpu": 2700 * 3, "memory": 5 * GIB}))
    assert advice.enough == advice.need
    assert not advice.changed


def test_too_tight_is_said(tmp_path):
    advice = one(tmp_path, (0, 3500, {"cpu": 3500 * 4, "memory": int(7.9 * GIB)}))
    assert str(advice.enough) == "duration=1h15m & cpu(mem=10G, cores=4)"
    assert advice.notes == ("its time was tight: 97% of it used", "its memory was tight: 99% of it used")


@pytest.mark.parametrize(
    ("state", "enough", "note"),
    [
        ("TIMEOUT", "duration=2h & cpu(mem=3G, cores=4)", "it was stopped at the time limit"),
        ("OUT_OF_MEMORY", "duration=1h & cpu(mem=16G, cores=4)", "it was stopped at the memory limit"),
    ],
)
def test_stopped_at_a_limit(tmp_path, state, enough, note):
    advice = one(tmp_path, (0, 2600, {"state": state, "cpu": 2600 * 4, "memory": 2 * GIB}))
    assert str(advice.enough) == enough
    assert any(text.startswith(note) for text in advice.notes)


def test_failures_do_not_count(tmp_path):
    advice = one(tmp_path, (0, 100, {"memory": GIB}), (0, 3000, {"state": "FAILED", "memory": 7 * GIB}))
    assert advice.used.memory == GIB
    assert advice.notes == ("1 of 2 jobs did not succeed and do not count",)


@pytest.mark.parametrize(("busy", "cores"), [(0.1, 1), (0.95, 1), (1.05, 1), (1.3, 2), (2, 2), (2.9, 4), (4.2, 4)])
def test_cores(tmp_path, busy, cores):
    """Of four that were asked: what keeps one core busy gets one, and nothing shows a need of more than it has."""
    advice = one(tmp_path, (0, 100, {"cpu": busy * 100}))
    assert advice.enough.alternatives[0].cores == cores


def test_nothing_measured(tmp_path):
    """A job that a scheduler took over when another was killed has no rusage; its times are known."""
    advice = one(tmp_path, (0, 100, {"memory": None, "cpu": None}))
    assert str(advice.enough) == "duration=3m & cpu(mem=8G, cores=4)"
    assert advice.notes[0].startswith("its memory was not measured")


def test_no_accounting_at_all(tmp_path, capsys):
    recorder = Recorder(tmp_path / "runs")
    recorder.step("s")
    run = recorder.run()
    steps = [
        evolve(s, members=tuple(evolve(m, info=evolve(m.info, usage=None, started=None)) for m in s.members))
        for s in run.status()
    ]
    (advice,) = advices(run, steps)
    assert advice.enough is None
    assert advice.notes == ("no accounting: nothing to compare",)


def test_nothing_has_run_yet(tmp_path, capsys):
    recorder = Recorder(tmp_path / "runs")
    recorder.step("s", jobs=[()])
    run = recorder.run()
    assert main(["advise", str(run.folder)]) == 0
    assert capsys.readouterr().out == f"{run.folder}: no job of it has succeeded: nothing to compare\n"


def test_more_than_was_written_after_a_retry(tmp_path):
    """What a retry had to ask for is proposed even when it is kept."""
    advice = one(tmp_path, (0, 2700, {"cpu": 2700 * 3, "memory": 6 * GIB}), need="duration=30m & cpu(mem=4G, cores=4)")
    assert str(advice.enough) == "duration=1h & cpu(mem=8G, cores=4)"


def test_alternatives_and_gpus_stay(tmp_path):
    advice = one(tmp_path, (0, 100, {"cpu": 400, "memory": GIB}), need="cuda(mem=24G)*2 | cuda(mem=80G)", gpus=2)
    assert (
        str(advice.enough)
        == "duration=3m & cpu(mem=2G) & cuda(mem=24G) * 2 | duration=3m & cpu(mem=2G) & cuda(mem=80G)"
    )
    assert parse(str(advice.enough)) == advice.enough
    assert "it ran as one of its alternatives: the others may need more or less" in advice.notes


def test_options_of_a_scheduler_are_said_as_a_requirement(tmp_path):
    advice = one(tmp_path, (0, 100, {"cpu": 400, "memory": GIB}), need=None, gpus=1)
    assert str(advice.need) == "duration=1h & cpu(mem=8G, cores=4) & gpu()"
    assert str(advice.enough) == "duration=3m & cpu(mem=2G, cores=4) & gpu()"


def test_rounding_never_goes_below(tmp_path):
    for what, amounts in (("seconds", (0.1, 61, 3601, 86400, 1e6)), ("memory", (1, 2**20 * 101, 2**34 + 1, 2**42))):
        for amount in amounts:
            assert amount <= rounded(what, amount) <= max(amount * 2, rounded(what, 0.1))
    assert rounded("seconds", math.nextafter(60, 61)) == 120
    assert (rough_time(0.25), rough_time(75), rough_time(3660), rough_time(None)) == ("0.2s", "1m15s", "1h1m", "?")
    assert (rough_memory(1500), rough_memory(160 * 2**20), rough_memory(int(3.14 * GIB))) == ("2K", "160M", "3.1G")


# What sacct 22.05 printed: a job of 3 CPUs that holds 150 MB in a step for 11 s, one that was too short to be sampled.
JOB = "5|billing=3,cpu=3,mem=300M,node=1|billing=4,cpu=4,mem=300M,node=1|00:03.148|||1|"
BATCH = "|||00:00.010|12360K|1|1|cpu=00:00:00,energy=0,fs/disk=35395,mem=12360K,pages=0,vmem=221172K"
STEP = "||cpu=4,mem=300M,node=1|00:03.137|159800K|1|1|cpu=00:00:00,energy=0,fs/disk=1685842,mem=159800K,vmem=163056K"
SHORT = "||cpu=4,mem=300M,node=1|00:03.103||1|1|energy=0"


def rows(*lines):
    return [line.split("|") for line in lines]


def test_what_accounting_says():
    usage = usage_of(*rows(JOB, BATCH, STEP))
    peak = (12360 + 159800) * 1024
    assert usage == Usage(1, 3, 300 * 2**20, 0, 300, 4, peak, 3.148)
    assert usage_of(*rows(JOB, SHORT)).peak is None
    assert usage_of(*rows(JOB)).peak is None


def test_what_accounting_says_of_many_nodes_and_tasks():
    """Two nodes, four tasks: one large, three small; the bound is the sum, the largest times two would be more."""
    job = "60|billing=8,cpu=8,mem=16G,node=2,gres/gpu=4,gres/gpu:a100=4|cpu=8,mem=16G,node=2|1-02:03:04.5|||2|"
    step = "||cpu=8|1-02:03:04|10485760K|4|2|cpu=1-02:03:04,mem=12G"
    usage = usage_of(*rows(job, step))
    assert usage == Usage(2, 4, 8 * GIB, 2, 3600, 8, 12 * GIB, 93784.5)
    assert usage_of(*rows(job, step.replace("mem=12G", "energy=0"))).peak == 20 * GIB
    assert usage_of(*rows("UNLIMITED||||||Unknown|")) == Usage()
