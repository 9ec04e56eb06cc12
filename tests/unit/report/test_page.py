"""The text of the page."""

import re
from html.parser import HTMLParser

from diamond import diamond
from recorded import Recorder

from launchers.report.page import MOST, page, view


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.seen = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))


def test_the_page_is_whole_in_itself_and_all_is_escaped(tmp_path):
    text = page(diamond(tmp_path))
    seen = Tags(text).seen
    assert not {"script", "img", "iframe", "object"} & {tag for tag, _ in seen}
    assert not [name for _, attrs in seen for name in attrs if name.startswith("on")]
    assert {attrs.get("src") or attrs.get("href") for _, attrs in seen} == {None, "data:,"}
    assert "default-src 'none'" in text
    assert "&lt;/pre&gt;&lt;script&gt;" in text
    assert "exit status 1 &lt;b&gt;" in text
    assert not re.search(r"[\x00-\x08\x0b-\x1f]", text)
    assert "100% done" in text
    assert "50%" not in text.partition('id="logs"')[2]


def test_many_steps_that_are_alike_are_one_box(tmp_path):
    recorder = Recorder(tmp_path)
    recorder.step("prepare")
    for at in range(400):
        recorder.step(f"train-{at}", [("prepare", "ok")], jobs=[(100, 200)])
    recorder.step("best", [(f"train-{at}", "ok") for at in range(400)], jobs=[(300, 310)])
    text = page(recorder.run())
    assert text.count('<g class="box') == 3
    assert "train-0 and 399 more" in text
    assert "And 342 more steps" in text
    assert len(text) < 150_000


def test_the_facts_at_the_top(tmp_path):
    recorder = Recorder(tmp_path)
    recorder.step("a", jobs=[(0, 100, {"cpu": 200})], gpus=2)
    recorder.step("b", jobs=[(100, 400, {"state": "FAILED", "cpu": None, "reason": "exit status 1"})])
    run = recorder.run()
    shown = view(run, run.status(usage=True))
    facts = dict(shown["facts"])
    assert facts["Took"] == "6m40s"
    assert facts["Where"] == "box"
    assert facts["CPU time reserved"] == "26m40s, 12% of it busy"
    assert facts["GPU time reserved"] == "3m20s"
    assert (shown["class"], shown["word"]) == ("bad", "failed")
    assert shown["counts"] == [
        {"class": "ok", "word": "completed", "count": 1},
        {"class": "bad", "word": "failed", "count": 1},
    ]
    (failure,) = shown["failures"]
    assert (failure["name"], failure["reason"], failure["last_line"]) == (
        "b",
        "exit status 1",
        "",
    )


def test_notes_are_of_steps_with_a_proposal(tmp_path):
    recorder = Recorder(tmp_path)
    recorder.step("a", jobs=[(0, 3500)])
    recorder.step("b", jobs=[(0, 10, {"state": "FAILED"})])
    run = recorder.run()
    shown = view(run, run.status(usage=True))
    assert shown["measured"]
    assert [name for name, _ in shown["notes"]] == ["a"]
    assert [row["note"] for row in shown["resources"]] == ["", "no job has succeeded: nothing to compare"]


def test_a_failure_of_many_jobs_says_how_many(tmp_path):
    recorder = Recorder(tmp_path)
    bad = {"state": "FAILED", "reason": "exit status 1"}
    recorder.step("m", jobs=[(0, 10), (0, 10, bad), (0, 10, bad)])
    run = recorder.run()
    assert view(run, run.status())["failures"][0]["reason"] == "2 of 3 jobs: exit status 1"


def test_long_lists_are_cut(tmp_path):
    recorder = Recorder(tmp_path)
    for at in range(MOST + 3):
        recorder.step(f"s{at}", jobs=[(0, 10, {"state": "FAILED", "reason": "no"})])
    run = recorder.run()
    shown = view(run, run.status(usage=True))
    assert (len(shown["failures"]), shown["more_failures"]) == (MOST, 3)
    assert (len(shown["resources"]), shown["more"]) == (MOST, 3)
