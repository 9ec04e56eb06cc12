"""Graphs as SVG."""

import re

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
