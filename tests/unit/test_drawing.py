"""Graphs as SVG."""

import re
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchers import drawing
from launchers.drawing import Box, svg


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


def chain(length):
    """Boxes of which each waits for the one before it, and for the first."""
    return [
        Box(f"s{at}", tuple((parent, "ok") for parent in dict.fromkeys((f"s{at - 1}", "s0")) if at), f"s{at}")
        for at in range(length)
    ]


def curves(text):
    """How many points the edges go to."""
    return sum(line.count("C") for line in re.findall(r'class="edge" d="(.*?)"', text))


@pytest.mark.parametrize("length", [10, 600])
def test_edges_from_one_box_share_a_trunk(length):
    """600 steps that all wait for the first took 6 s, and 8 MB: each edge went through all layers on its own."""
    text = svg(chain(length))
    edges = 2 * length - 3
    assert text.count('class="edge"') == edges
    assert curves(text) == edges + length - 2  # and once through each layer between


def test_a_trunk_for_each_condition():
    boxes = [*chain(4), Box("cleanup", (("s0", "any"), ("s3", "ok")), "cleanup")]
    text = svg(boxes)
    assert curves(text) == curves(svg(chain(4))) + 2 + 3  # s3 - cleanup, and a trunk of its own from s0
    assert text.count("stroke-dasharray") == 1


def test_edges_are_connected():
    """Each edge starts at the box that is waited for, or where an edge from it has passed."""
    seen = set()
    for line in re.findall(r'class="edge" d="(.*?)"', svg(chain(12))):
        start, *ends = re.findall(r"(-?[\d.]+ -?[\d.]+)(?:C|$)", line)
        assert start in seen or float(start.split()[1]) % (drawing.HEIGHT + drawing.RISE) == 2 + drawing.HEIGHT
        seen.update(ends)


@pytest.mark.parametrize(("parents", "children", "edges"), [(3, 3, 6), (2, 3, 6), (3, 2, 6), (4, 3, 7)])
def test_few_that_wait_for_the_same_share_no_point(parents, children, edges):
    first = [Box(f"a{at}", (), "") for at in range(parents)]
    then = [Box(f"b{at}", tuple((box.name, "ok") for box in first), "") for at in range(children)]
    assert svg([*first, *then]).count('class="edge"') == edges


def test_a_condition_other_than_ok_is_dashed_and_written_once_at_a_box():
    boxes = [
        Box("a", (), "a"),
        Box("b", (), "b"),
        Box("c", (("a", "any"), ("b", "any")), "c"),
        Box("d", (("a", "ok"),), "d"),
    ]
    text = svg(boxes)
    assert text.count("stroke-dasharray") == 2
    assert re.findall(r'<text class="on".*?>(.*?)</text>', text) == ["any"]


@pytest.mark.parametrize(
    ("label", "below", "texts"),
    [
        ("a<b", "", ["a&lt;b"]),
        ("x" * 19, "y" * 26, ["x" * 19, "y" * 26]),
        ("x" * 20, "y" * 27, ["x" * 18 + "\N{HORIZONTAL ELLIPSIS}", "y" * 25 + "\N{HORIZONTAL ELLIPSIS}"]),
    ],
)
def test_the_text_of_a_box_is_cut_and_whole_in_its_title(label, below, texts):
    text = svg([Box("s", (), label, below, "running")])
    assert re.findall(r'<text class="(?:name|below)".*?>(.*?)</text>', text) == texts
    assert f"<title>{escape(label)}{' ' * bool(below)}{below}</title>" in text
    assert '<g class="box running">' in text


def test_a_drawing_of_one_box_and_of_none():
    assert 'width="168" height="50"' in svg([Box("s", (), "s")])
    assert svg([]).count("<rect") == 0
