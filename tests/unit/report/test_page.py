"""The text of the page."""

import re
from html.parser import HTMLParser

from diamond import diamond
from recorded import Recorder

from launchers.report.page import page


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
