"""What steps asked for against what they used, and the proposal."""

import json
import math
from pathlib import Path

import pytest
from attrs import evolve
from recorded import GIB, Recorder
from steps import double, fail, hold

from launchers.cli import main
from launchers.jobs.backend import JobInfo
from launchers.jobs.usage import Usage
from launchers.plan import Chain, Map, Plan, Step
from launchers.quantities.words import rough_memory
from launchers.report.advise import Amounts, advise, advise_steps, busy_cores, elapsed, round_up
from launchers.requirement import parse

ROOT = Path(__file__).resolve().parents[3]


def advice_of(root, *jobs, **more):
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
    run.wait(60, check=False)
    holds, some, bad, never = advise(run)
    assert 150e6 < holds.used.memory < 300e6  # what the step holds, and Python
    assert 0.5 < holds.used.seconds < 60
    assert holds.asked == Amounts(7200, 2 * GIB, 1)
    assert holds.changed
    assert holds.enough.alternatives[0].cpu_memory in (200 * 1024**2, 300 * 1024**2, 400 * 1024**2)
    assert holds.enough.alternatives[0].duration < 7200
    assert (some.jobs, some.counted) == (3, 3)
    assert bad.enough is None
    assert never.notes == ("no job has succeeded: nothing to compare",)
    assert main(["advise"]) == 0
    out = capsys.readouterr().out
    assert f"of 2h  {rough_memory(holds.used.memory)} of 2G" in out
    assert str(holds.enough) in out
    assert "bad: no job has succeeded: nothing to compare" in out
    assert main(["advise", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    section = (ROOT / "docs" / "json.md").read_text().split("## advise")[1].split("\n## ")[0]
    assert {line.split("`")[1] for line in section.splitlines() if line.startswith("| `")} == set(answer)
    for step in answer["steps"]:
        assert set(step) == {*["name", "jobs", "counted", "asked", "used", "need", "enough", "changed", "notes"]}
        assert step["enough"] is None or str(parse(step["enough"])) == step["enough"]


def test_far_more_than_enough(tmp_path):
    advice = advice_of(tmp_path, (0, 100, {"cpu": 150, "memory": 2 * GIB}))
    assert str(advice.enough) == "duration=3m & cpu(mem=3G, cores=2)"
    assert advice.notes == ()


def test_the_largest_of_a_map_counts(tmp_path):
    jobs = [(0, 100, {"memory": GIB, "cpu": 100})] * 9 + [(0, 1700, {"memory": 5 * GIB, "cpu": 6000})]
    advice = advice_of(tmp_path, *jobs)
    assert str(advice.enough) == "duration=1h & cpu(mem=8G, cores=4)"
    assert not advice.changed


def test_what_is_about_right_is_kept(tmp_path):
    advice = advice_of(tmp_path, (0, 2700, {"cpu": 2700 * 3, "memory": 5 * GIB}))
    assert advice.enough == advice.need
    assert not advice.changed


def test_too_tight_is_said(tmp_path):
    advice = advice_of(tmp_path, (0, 3500, {"cpu": 3500 * 4, "memory": int(7.9 * GIB)}))
    assert str(advice.enough) == "duration=1h15m & cpu(mem=10G, cores=4)"
    assert advice.notes == ("its time was tight: it used 97%", "its memory was tight: it used 99%")


@pytest.mark.parametrize(
    ("state", "enough", "note"),
    [
        ("TIMEOUT", "duration=2h & cpu(mem=3G, cores=4)", "it was stopped at the time limit"),
        ("OUT_OF_MEMORY", "duration=1h & cpu(mem=16G, cores=4)", "it was stopped at the memory limit"),
    ],
)
def test_stopped_at_a_limit(tmp_path, state, enough, note):
    advice = advice_of(tmp_path, (0, 2600, {"state": state, "cpu": 2600 * 4, "memory": 2 * GIB}))
    assert str(advice.enough) == enough
    assert any(text.startswith(note) for text in advice.notes)


def test_failures_do_not_count(tmp_path):
    advice = advice_of(tmp_path, (0, 100, {"memory": GIB}), (0, 3000, {"state": "FAILED", "memory": 7 * GIB}))
    assert advice.used.memory == GIB
    assert advice.notes == ("1 of 2 jobs did not succeed and do not count",)


@pytest.mark.parametrize(
    ("busy", "cores"), [(0.1, 1), (0.95, 1), (1.05, 1), (1.3, 2), (1.9, 2), (2, 2), (2.3, 4), (2.9, 4), (4.2, 4)]
)
def test_cores(tmp_path, busy, cores):
    """Of four that were asked: what keeps one core busy gets one, and nothing shows a need of more than it has."""
    advice = advice_of(tmp_path, (0, 100, {"cpu": busy * 100}))
    assert advice.enough.alternatives[0].cores == cores


def test_nothing_measured(tmp_path):
    """A job that a scheduler took over when another was killed has no rusage; its times are known."""
    advice = advice_of(tmp_path, (0, 100, {"memory": None, "cpu": None}))
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
    (advice,) = advise_steps(run, steps)
    assert advice.enough is None
    assert advice.notes == ("the scheduler has no accounting: nothing to compare",)


def test_nothing_has_run_yet(tmp_path, capsys):
    recorder = Recorder(tmp_path / "runs")
    recorder.step("s", jobs=[()])
    run = recorder.run()
    assert main(["advise", str(run.folder)]) == 0
    assert capsys.readouterr().out == f"{run.folder}: no job has succeeded: nothing to compare\n"


def test_more_than_was_written_after_a_retry(tmp_path):
    """What a retry had to ask for is proposed even when it is kept."""
    advice = advice_of(
        tmp_path, (0, 2700, {"cpu": 2700 * 3, "memory": 6 * GIB}), need="duration=30m & cpu(mem=4G, cores=4)"
    )
    assert str(advice.enough) == "duration=1h & cpu(mem=8G, cores=4)"


def test_alternatives_and_gpus_stay(tmp_path):
    advice = advice_of(tmp_path, (0, 100, {"cpu": 400, "memory": GIB}), need="cuda(mem=24G)*2 | cuda(mem=80G)", gpus=2)
    assert (
        str(advice.enough)
        == "duration=3m & cpu(mem=2G) & cuda(mem=24G) * 2 | duration=3m & cpu(mem=2G) & cuda(mem=80G)"
    )
    assert parse(str(advice.enough)) == advice.enough
    assert "it ran as one of its alternatives: the others may need more or less" in advice.notes


def test_options_of_a_scheduler_become_a_requirement(tmp_path):
    advice = advice_of(tmp_path, (0, 100, {"cpu": 400, "memory": GIB}), need=None, gpus=1)
    assert str(advice.need) == "duration=1h & cpu(mem=8G, cores=4) & gpu()"
    assert str(advice.enough) == "duration=3m & cpu(mem=2G, cores=4) & gpu()"


def test_rounding_never_goes_below():
    for quantity, amounts in (("seconds", (0.1, 61, 3601, 86400, 1e6)), ("memory", (1, 2**20 * 101, 2**34 + 1, 2**42))):
        for amount in amounts:
            assert amount <= round_up(quantity, amount) <= max(amount * 2, round_up(quantity, 0.1))
    assert round_up("seconds", math.nextafter(60, 61)) == 120


@pytest.mark.parametrize(
    ("quantity", "amount", "rounded"),
    [
        ("seconds", 0, 60),
        ("seconds", 600, 600),
        ("seconds", 601, 900),
        ("seconds", 3600, 3600),
        ("seconds", 3601, 4500),
        ("seconds", 48 * 3600, 48 * 3600),
        ("seconds", 48 * 3600 + 1, 54 * 3600),
        ("memory", 1, 100 * 2**20),
        ("memory", GIB, 1100 * 2**20),
        ("memory", 17 * GIB, 20 * GIB),
        ("memory", 129 * GIB, 144 * GIB),
    ],
)
def test_round_numbers(quantity, amount, rounded):
    assert round_up(quantity, amount) == rounded


@pytest.mark.parametrize(("seconds", "duration"), [(1679, 2100), (1682, 3600), (2879, 3600), (2882, 4500)])
def test_a_request_is_kept_from_the_proposal_to_half_as_much_again(tmp_path, seconds, duration):
    """An hour is kept for proposals of 40 to 60 minutes: those are made for 28 to 48 minutes."""
    advice = advice_of(tmp_path, (0, seconds, {"cpu": None, "memory": None}))
    assert advice.enough.alternatives[0].duration == duration


@pytest.mark.parametrize(("used", "tight"), [(0.89, False), (0.901, True), (1.0, True), (1.1, False)])
def test_tight_is_nine_tenths_of_what_was_asked_for(tmp_path, used, tight):
    advice = advice_of(tmp_path, (0, 100, {"cpu": 400, "memory": int(8 * GIB * used)}))
    assert any(note.startswith("its memory was tight") for note in advice.notes) is tight


def test_only_some_jobs_were_stopped(tmp_path):
    advice = advice_of(tmp_path, (0, 100, {"memory": GIB}), (0, 3600, {"state": "TIMEOUT", "memory": GIB}))
    assert advice.counted == 2
    assert advice.notes[0].startswith("1 of 2 jobs were stopped at the time limit")


@pytest.mark.parametrize(("seconds", "known"), [(9.9, False), (10, True)])
def test_the_busy_cores_of_a_short_job_are_not_known(seconds, known):
    info = JobInfo("COMPLETED", started=100.0, ended=100.0 + seconds, usage=Usage(nodes=2, cpu=40.0))
    assert busy_cores(info) == (40 / seconds / 2 if known else None)
    assert busy_cores(evolve(info, usage=Usage())) is None
    assert busy_cores(evolve(info, ended=None)) is None
    assert elapsed(evolve(info, ended=99.0)) == 0


def test_more_cores_than_were_asked_for_are_never_proposed(tmp_path):
    advice = advice_of(tmp_path, (0, 100, {"cpu": 6400}), need="cpu(cores=4)")
    assert str(advice.enough).endswith("cores=4)")
    assert not any("memory" in note for note in advice.notes)
