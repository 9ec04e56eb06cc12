"""The page about a run: what is on it, and that a browser shows it right on a desk, a phone and paper."""

import os
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorded import Recorder
from steps import add, double, fail

from launchers import drawing
from launchers.cli import main
from launchers.drawing import Box, svg
from launchers.plan import Chain, Map, Parallel, Plan, ResultOf, Step
from launchers.report.page import page, tail

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
NASTY = "</pre><script>document.title='broken'</script><img src=http://example.org/x.png onerror=alert(1)> \x1b[31mred\x1b[0m\x00\n"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    (tmp_path / "launchers.yaml").write_text("local: [{id: box, cpu: {cores: 2, memory: 2G}}]\n")


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium; without one the test is skipped, or fails where one is required."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None and os.environ.get("LAUNCHERS_REQUIRE_BROWSER"):
        pytest.fail("LAUNCHERS_REQUIRE_BROWSER is set, and there is no Chromium (tools/chromium)", pytrace=False)
    if found is None:
        pytest.skip("LOUD: there is no Chromium (tools/chromium): the report page is NOT tested in a browser")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        sandbox = [] if os.geteuid() else ["--no-sandbox"]  # Chromium refuses root otherwise
        chromium = playwright.chromium.launch(executable_path=found, args=sandbox)
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser, tmp_path):
    """Open a page; at the end nothing may have been said on its console, and nothing asked of a network."""
    said, asked, pages = [], [], []

    def open_(text, width=1100, scheme="light", media="screen"):
        path = tmp_path / f"page{len(pages)}.html"
        path.write_text(text, encoding="utf-8")
        tab = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
        pages.append(tab)
        tab.emulate_media(media=media)
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.on("request", lambda request: asked.append(request.url) if request.url != path.as_uri() else None)
        tab.goto(path.as_uri(), wait_until="networkidle")
        return tab

    yield open_
    for tab in pages:
        tab.close()
    assert said == []
    assert asked == []


def diamond(root):
    """A recorded run that has everything: a failure, a cancelled step, edges of two kinds, nasty logs."""
    recorder = Recorder(root)
    recorder.step("data", jobs=[(10, 300)])
    recorder.step("train", [("data", "ok")], jobs=[(400, 2000)], gpus=2, need="cuda(mem=24G)*2 & duration=1h")
    bad = {"state": "FAILED", "exit": 1, "reason": "exit status 1 <b>"}
    recorder.step("sweep", [("data", "ok")], jobs=[(400, 900), (410, 700, bad), (420, 1200)])
    recorder.step("evaluate", [("train", "ok"), ("sweep", "any")], jobs=[(2050, 2100)])
    recorder.step("publish", [("sweep", "ok")], jobs=[(None, 1200, {"state": "CANCELLED", "reason": "never"})])
    recorder.logs = {"sweep.1": f"reading\n{NASTY * 2}", "data": "10%\r50%\r100% done\n"}
    return recorder.run()


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


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "media"), [(1100, "screen"), (375, "screen"), (690, "print")])
def test_in_a_browser(opened, tmp_path, width, media, scheme):
    tab = opened(page(diamond(tmp_path)), width, scheme, media)
    assert tab.title().startswith("recorded ")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.locator("#verdict").inner_text() == "failed"
    assert tab.locator("#graph .box").count() == 5
    assert tab.locator("#graph .box.bad title").inner_html() == "sweep 1 of 3 failed"
    assert tab.locator("#graph .on").all_text_contents() == ["any"]
    assert tab.locator("#timeline .strip").count() == 5
    assert tab.locator("#timeline .strip span").count() == 7
    assert tab.locator("#resources tbody tr").count() == 5
    assert tab.locator("#logs details[open]").count() == 1
    assert "onerror=alert(1)" in tab.locator("#logs details[open] pre").inner_text()
    ground = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == {"print": "rgb(255, 255, 255)"}.get(
        media, {"light": "rgb(247, 247, 245)", "dark": "rgb(20, 23, 27)"}[scheme]
    )
    for one in tab.locator("#timeline .strip i").all():
        assert one.bounding_box()["width"] >= 1.9
    for word in tab.locator("td, .label, dd").all():  # nothing is cut off or runs out of its place
        assert word.evaluate("e => e.scrollWidth <= e.clientWidth + 1"), word.inner_text()


def test_the_times_are_where_they_belong(opened, tmp_path):
    """`train` waited 300 s for `data`, queued 100 s and ran 1600 s of the 2100 s that all took."""
    tab = opened(page(diamond(tmp_path)))
    strip = tab.locator("#timeline .strip").nth(1)
    whole = strip.bounding_box()
    parts = {what: strip.locator(f"i.{what}").bounding_box() for what in ("held", "queued", "ok")}
    for what, start, length in (("held", 0, 300), ("queued", 300, 100), ("ok", 400, 1600)):
        assert parts[what]["x"] - whole["x"] == pytest.approx(start / 2100 * whole["width"], abs=2)
        assert parts[what]["width"] == pytest.approx(length / 2100 * whole["width"], abs=2)
    assert strip.locator("span").get_attribute("title") == "train COMPLETED, queued 1m40s, ran 26m40s"


def test_a_map_of_a_thousand_stays_small(opened, tmp_path):
    recorder = Recorder(tmp_path)
    recorder.step("prepare", jobs=[(10, 300)])
    jobs = [(400 + at // 50 * 100, 400 + at // 50 * 100 + 60 + at % 40) for at in range(1000)]
    jobs[7] = (*jobs[7], {"state": "FAILED", "reason": "exit status 1"})
    recorder.step("simulate_" * 9, [("prepare", "ok")], jobs=jobs)
    text = page(recorder.run())
    assert len(text) < 40_000
    tab = opened(text, 375)
    assert tab.evaluate("document.documentElement.scrollWidth") == 375
    assert "1001 jobs" in tab.locator("#counts").inner_text()
    assert "up to 1000 queued, 50 at once" in tab.locator("#timeline").inner_text()
    assert "1 of 1000 failed" in tab.locator("#timeline").inner_text()


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


def test_a_run_that_goes_on(opened, tmp_path):
    recorder = Recorder(tmp_path)
    recorder.step("now", jobs=[(10, None)])
    recorder.step("then", [("now", "ok")], jobs=[()])
    tab = opened(page(recorder.run()))
    assert tab.locator("#verdict").inner_text() == "running"
    assert "So far" in tab.locator(".facts").inner_text()
    assert tab.locator("#timeline .strip").nth(1).locator("i").evaluate_all("all => all.map(e => e.className)") == [
        "held"
    ]


def test_what_really_ran(opened, tmp_path, capsys):
    plan = Plan(
        "real",
        Chain(
            Step("a", None, double, 3),
            Parallel(Step("b", None, fail), Map("m", None, double, range(4)), Chain(Step("c", None, double, 1))),
            Step("sum", None, add, ResultOf("a"), on="any"),
        ),
    )
    run = plan.submit()
    run.wait(60)
    assert main(["report"]) == 0
    written = run.folder / "report.html"
    assert capsys.readouterr().out == f"{written}\n"
    tab = opened(written.read_text())
    (failure,) = tab.locator("#failures li").all_inner_texts()
    assert failure.startswith("b FAILED exit status 1\n")
    assert failure.endswith("no such luck")
    assert "doubling 3" in tab.locator("#logs").inner_html()
    assert main(["report", str(run.folder), "-o", "-"]) == 0
    assert capsys.readouterr().out.startswith("<!doctype html>")
    assert main(["report", "-o", "/nowhere/x.html"]) == 2
    assert capsys.readouterr().err == "launchers report: cannot write /nowhere/x.html: No such file or directory\n"


def test_the_end_of_a_log(tmp_path):
    log = tmp_path / "log"
    log.write_bytes(b"x" * 70_000 + b"\nlast \xff \x1b]0;title\x07\x1b[1;31mred\x1b[0m\tgone\rhere\r\n\n")
    assert tail(log, 5) == ["here"]
    log.write_text("\n".join(map(str, range(100_000))))
    assert tail(log, 3) == ["99997", "99998", "99999"]
    log.write_text("y" * 1000)
    assert len(tail(log, 3)[0]) == 501
    log.write_text("\n \n")
    assert tail(log, 3) == []


# -- the drawing -----------------------------------------------------------------------------------------------


@st.composite
def graphs(draw):
    """Boxes in an order in which parents come first."""
    count = draw(st.integers(1, 14))
    parents = [draw(st.sets(st.integers(0, at - 1), max_size=5)) if at else set() for at in range(count)]
    return [
        Box(f"s{at}", tuple((f"s{one}", "ok") for one in sorted(before)), f"s{at}") for at, before in enumerate(parents)
    ]


@given(graphs())
def test_boxes_do_not_overlap_and_stand_below_what_they_wait_for(boxes):
    text = svg(boxes)
    at = dict(
        zip(re.findall(r"<title>(s\d+)</title>", text), re.findall(r'<rect x="(.*?)" y="(.*?)"', text), strict=True)
    )
    at = {name: (float(x), float(y)) for name, (x, y) in at.items()}
    assert set(at) == {box.name for box in boxes}
    for box in boxes:
        assert all(at[name][1] + drawing.HEIGHT < at[box.name][1] for name, _ in box.waits)
    for one, (x, y) in at.items():
        assert all(abs(x - u) >= drawing.WIDTH for other, (u, v) in at.items() if other != one and v == y)


def test_many_that_wait_for_the_same_many_share_a_point():
    first = [Box(f"a{at}", (), f"a{at}") for at in range(20)]
    then = [Box(f"b{at}", tuple((box.name, "ok") for box in first), f"b{at}") for at in range(20)]
    assert svg([*first, *then]).count('class="edge"') == 40
