"""What each step asked for and used, as the page shows it."""

import pytest
from recorded import GIB
from reported import job, step

from launchers.jobs.usage import Usage
from launchers.report.advise import Advice, Amounts
from launchers.report.resources import resources
from launchers.report.timeline import Span
from launchers.requirement import parse

NEED = parse("cpu(mem=8G, cores=4) & duration=1h")
LESS = parse("cpu(mem=2G, cores=1) & duration=5m")


def row(*jobs, asked=None, used=None, spans=None, **advice):
    its = Advice("s", 1, 1, asked or Amounts(), used or Amounts(), NEED, **advice)
    return resources(step("s", *jobs), its, spans or {})


def test_amounts_are_shown_with_their_share():
    amounts = row(job(), asked=Amounts(3600, 8 * GIB, 4), used=Amounts(900, 2 * GIB, 1.04))["amounts"]
    assert amounts == [("Time", "15m", "1h", 25.0), ("Memory", "2G", "8G", 25.0), ("Cores busy", "1.0", "4", 26.0)]


@pytest.mark.parametrize(
    ("asked", "used", "texts"),
    [
        (None, None, ("", "", None)),
        (3600, None, ("", "1h", None)),
        (None, 60, ("1m", "", None)),
        (60, 90, ("1m30s", "1m", 100.0)),
    ],
)
def test_what_is_not_known_is_empty_and_a_share_ends_at_100(asked, used, texts):
    assert row(job(), asked=Amounts(seconds=asked), used=Amounts(seconds=used))["amounts"][0] == ("Time", *texts)


def test_what_would_have_been_enough():
    same, less, none = row(job(), enough=NEED), row(job(), enough=LESS), row(job(), notes=("why", "more"))
    assert [(each["fits"], each["enough"], each["note"]) for each in (same, less, none)] == [
        (True, "", ""),
        (False, str(LESS), ""),
        (False, "", "why"),
    ]


def test_many_jobs_have_a_median():
    jobs = [job(number=at, started=0.0, ended=float(seconds)) for at, seconds in enumerate((10, 20, 60))]
    assert row(*jobs)["spread"] == "median 20s"
    assert row(jobs[0])["spread"] == ""


def test_how_long_a_job_that_started_was_queued():
    first, second = job(number=0), job(number=1)
    spans = {id(first): Span(0, 10, 40, 50, "ok"), id(second): Span(0, 0, None, 90, "wait")}
    assert row(first, second, spans=spans)["waited"] == "30s"
    assert row(second, spans=spans)["waited"] == ""
    assert row(first, spans={id(first): Span(0, 10, 10.9, 50, "ok")})["waited"] == ""
    assert row(first, spans={id(first): Span(0, 10, 11, 50, "ok")})["waited"] == "1s"


def test_where_it_ran():
    assert row(job(partition="big"))["where"] == "big"
    assert row(job())["where"] == "gpu"
    assert (row(job())["nodes"], row(job())["gpus"]) == (1, 0)
    used = row(job(usage=Usage(nodes=2, gpus=4)))
    assert (used["nodes"], used["gpus"]) == (2, 4)
