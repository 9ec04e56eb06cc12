"""When jobs waited and ran."""

import re

import pytest
from reported import job, step, task

from launchers.report.rows import make_rows
from launchers.report.timeline import BINS, LANES, Span, make_spans, make_timeline, ticks

NOW = 5000.0
RAN = {"submitted": 1000.0, "started": 1400.0, "ended": 2000.0}


def span_of(waits=(), before=(), **info):
    """The span of a job at NOW, which waits for the step `p` with these jobs."""
    tasks = [*([task("p")] if before else []), task("s", waits)]
    mine = job("s", **info)
    spans = make_spans(tasks, [*([step("p", *before)] if before else []), step("s", mine)], NOW)
    return spans.get(id(mine))


def test_a_job_that_waits_for_nothing_is_ready_when_it_is_submitted():
    span = span_of(**RAN)
    assert span == Span(1000, 1000, 1400, 2000, "ok")
    assert span.queued == 400


def test_a_job_is_ready_when_the_scheduler_says_so():
    assert span_of(**RAN, eligible=1300.0).ready == 1300
    assert span_of(**RAN, eligible=900.0).ready == 1000
    assert span_of(**RAN, eligible=1500.0).ready == 1400


@pytest.mark.parametrize(("on", "ready"), [("ok", 1300), ("any", 1300), ("started", 1100)])
def test_a_job_is_ready_when_the_last_of_its_parents_is_done(on, ready):
    parents = [job("p", 0, started=1050.0, ended=1200.0), job("p", 1, started=1100.0, ended=1300.0)]
    assert span_of([("p", on)], parents, **RAN).ready == ready


def test_an_item_waits_for_the_item_with_its_number():
    parents = [job("p", 0, ended=1100.0), job("p", 1, ended=1300.0)]
    assert span_of([("p", "each")], parents, number=0, **RAN).ready == 1100


def test_nobody_knows_when_a_job_is_ready_whose_parent_has_not_ended():
    span = span_of([("p", "ok")], [job("p", state="RUNNING", started=1.0)], state="PENDING", submitted=1000.0)
    assert span == Span(1000, None, None, NOW, "wait")
    assert span.queued is None


def test_what_has_not_ended_goes_on_until_now():
    assert span_of(state="RUNNING", submitted=1000.0, started=1100.0).end == NOW
    assert span_of(state="PENDING", submitted=1000.0).queued == NOW - 1000


def test_a_job_that_was_never_submitted_has_no_span():
    assert span_of(state="UNSUBMITTED") is None


def test_a_job_whose_times_were_lost_ends_when_it_began():
    assert span_of(submitted=1000.0) == Span(1000, 1000, None, 1000, "ok")
    assert span_of(started=1100.0) == Span(1100, 1100, 1100, 1100, "ok")


# -- strips ----------------------------------------------------------------------------------------------------


def strip_of(jobs, begin=1000.0, end=2000.0):
    tasks, steps = [task(count=len(jobs))], [step("s", *jobs)]
    (strip,) = make_timeline(make_rows(tasks, steps), make_spans(tasks, steps, NOW), begin, end)["rows"]
    return strip


def test_the_parts_of_a_bar_are_percent_of_the_whole():
    (bar,) = strip_of([job(**RAN, eligible=1100.0)])["bars"]
    assert bar["parts"] == [("held", 0.0, 10.0), ("queued", 10.0, 30.0), ("ok", 40.0, 60.0)]
    assert bar["title"] == "s COMPLETED, queued 5m, ran 10m"


def test_a_job_that_took_no_time_has_a_mark():
    (bar,) = strip_of([job(number=3, submitted=1500.0, started=1500.0, ended=1500.0)])["bars"]
    assert bar["parts"] == [("ok", 50.0, 0.0)]
    assert bar["title"].startswith("s:3 ")


def test_a_run_that_took_no_time_has_marks_at_its_beginning():
    (bar,) = strip_of([job(submitted=1000.0, started=1000.0, ended=1000.0)], 1000.0, 1000.0)["bars"]
    assert bar["parts"] == [("ok", 0.0, 0.0)]


@pytest.mark.parametrize(("count", "bars"), [(LANES, LANES), (LANES + 1, 0)])
def test_many_jobs_are_drawn_as_areas(count, bars):
    strip = strip_of([job(number=at, **RAN) for at in range(count)])
    assert len(strip["bars"]) == bars
    assert (strip["area"] is None) == bool(bars)


def test_the_areas_are_how_many_wait_and_run_at_a_time():
    quick = [job(number=at, submitted=1000.0, started=1000.0, ended=1500.0) for at in range(20)]
    late = [job(number=20 + at, state="FAILED", submitted=1000.0, started=1500.0, ended=2000.0) for at in range(10)]
    area = strip_of([*quick, *late])["area"]
    assert (area["most_running"], area["most_queued"]) == (20, 10)
    heights = [int(height) for height in re.findall(r",(\d+)H", area["running"])]
    assert heights == [0] * (BINS // 2) + [50] * (BINS // 2)
    assert [int(height) for height in re.findall(r",(\d+)H", area["failed"])] == [100] * 80 + [50] * 80


def test_jobs_that_wait_count_in_the_area_of_those_that_wait_only():
    ran = [job(number=at, submitted=1000.0, started=1000.0, ended=1500.0) for at in range(30)]
    waits = [job(number=30 + at, state="PENDING", submitted=1500.0) for at in range(10)]
    area = strip_of([*ran, *waits])["area"]
    assert (area["most_running"], area["most_queued"]) == (30, 10)


def test_an_area_without_failures_has_no_outline_of_them():
    assert strip_of([job(number=at, **RAN) for at in range(30)])["area"]["failed"] == ""


# -- the axis --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "marks"),
    [
        (5, ["0", "1s", "2s", "3s", "4s"]),
        (31, ["0", "10s", "20s"]),
        (32, ["0", "10s", "20s", "30s"]),
        (100, ["0", "30s", "1m", "1m30s"]),
        (3600, ["0", "15m", "30m", "45m"]),
        (5 * 3600, ["0", "1h", "2h", "3h", "4h"]),
        (86400, ["0", "6h", "12h", "18h"]),
        (5 * 86400, ["0", "1d", "2d", "3d", "4d"]),
        (40 * 86400, ["0", "14d", "28d"]),
    ],
)
def test_the_axis_has_few_round_marks(seconds, marks):
    assert [text for _, text in ticks(seconds)] == marks


def test_marks_stand_where_they_belong():
    assert list(ticks(100)) == [(0.0, "0"), (30.0, "30s"), (60.0, "1m"), (90.0, "1m30s")]
    assert list(ticks(0)) == []
