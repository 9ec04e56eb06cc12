"""The page in a browser: on a desk, on a phone and on paper."""

import os
import shutil

import pytest
from diamond import diamond
from recorded import Recorder
from steps import add, double, fail

from launchers.cli import main
from launchers.plan import Chain, Map, Parallel, Plan, ResultOf, Step
from launchers.report.page import page

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


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
    run.wait(60, check=False)
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
    message = "launchers report: /nowhere/x.html: cannot be written: No such file or directory\n"
    assert capsys.readouterr().err == message
