"""A graph as SVG: boxes in layers, each below all that it waits for, and edges as curves that go round boxes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from xml.sax.saxutils import escape, quoteattr

from attrs import evolve, frozen

WIDTH, HEIGHT, GAP, RISE = 164, 46, 20, 44
"""Width and height of a box, the gap between boxes of a layer, and the gap between layers (pixels)."""
THIN = 12
"""The width of a place where an edge passes a layer, or where many edges join."""
JOIN = 3
"""At least so many boxes that wait for the same boxes, at least so many, are drawn through one point.

That makes N + M edges instead of N times M.
"""
SWEEPS = 8
"""How often the layers are put in order, down and up in turns."""
SMALLEST = 0.6
"""A drawing shrinks to this share at most to fit its page; a wider drawing is scrolled."""
LETTERS, SMALL_LETTERS = 19, 26
"""So many letters of a label, and of the small text below it, fit a box."""


@frozen
class Box:
    """A box: its name, the boxes that it waits for and how (``ok``, ``any`` ...), its text, and a class for its colour.

    `label` is its first line, `below` the second in small letters, if any.
    """

    name: str
    waits: tuple[tuple[str, str], ...]
    label: str
    below: str = ""
    kind: str = ""


@frozen
class _Edge:
    """A line from an upper to a lower point, through places where it passes layers: the names of all of them.

    The first is the box that is waited for, or a place on an edge from there that is drawn already.
    """

    points: tuple[str, ...]
    on: str

    @property
    def child(self) -> str:
        """The box that waits."""
        return self.points[-1]


def svg(boxes: Sequence[Box]) -> str:
    """The drawing. Boxes come after those they wait for. Colours are attributes, which a style sheet may replace."""
    layers, edges = _layers(_joined(boxes))
    wide = {box.name: WIDTH for box in boxes}
    x_of = _across(layers, edges, wide)
    y_of = {name: depth * (HEIGHT + RISE) + 2 for depth, row in enumerate(layers) for name in row}
    left = min((x_of[name] - wide.get(name, THIN) / 2 for name in x_of), default=0) - 2
    right = max((x_of[name] + wide.get(name, THIN) / 2 for name in x_of), default=0) + 2
    tall = len(layers) * (HEIGHT + RISE) - RISE + 4
    known = {box.name: box for box in boxes}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{right - left:g}" height="{tall:g}" '
        f'style="max-width:{right - left:g}px;min-width:{SMALLEST * (right - left):g}px" '
        f'viewBox="{left:g} 0 {right - left:g} {tall:g}" font-family="system-ui, sans-serif" font-size="13" role="img">'
    ]
    labelled: set[tuple[str, str]] = set()
    for edge in edges:
        points = [(x_of[name], y_of[name], name in known) for name in edge.points]
        parts.append(_line(points, edge.on, labelled=edge.on != "ok" and (edge.child, edge.on) not in labelled))
        labelled.add((edge.child, edge.on))
    parts += [_box(known[name], x_of[name], y_of[name]) for row in layers for name in row if name in known]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _joined(boxes: Sequence[Box]) -> list[Box]:
    """The boxes, with a point between where many wait for the same many."""
    alike: dict[tuple[tuple[str, str], ...], list[Box]] = {}
    for box in boxes:
        alike.setdefault(box.waits, []).append(box)
    joined: list[Box] = []
    for box in boxes:
        group = alike[box.waits]
        if len(box.waits) < JOIN or len(group) < JOIN:
            joined.append(box)
            continue
        point = f"join {group[0].name}"  # no step has a blank in its name
        if box is group[0]:
            joined.append(Box(point, box.waits, ""))
        joined.append(evolve(box, waits=((point, "ok"),)))
    return joined


# -- where everything is ---------------------------------------------------------------------------------------


def _layers(boxes: Sequence[Box]) -> tuple[list[list[str]], list[_Edge]]:
    """The names in each layer from the top, with the places where edges pass it; and the edges."""
    depth: dict[str, int] = {}
    waiting: dict[tuple[str, str], list[str]] = {}
    for box in boxes:
        depth[box.name] = max((depth[parent] + 1 for parent, _ in box.waits), default=0)
        for parent, on in box.waits:
            waiting.setdefault((parent, on), []).append(box.name)
    layers: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for name, number in depth.items():
        layers[number].append(name)
    edges: list[_Edge] = []
    for (parent, on), children in waiting.items():
        for edge in _edges_from(parent, on, sorted(children, key=lambda name: depth[name]), depth):
            edges.append(edge)
            for level, place in enumerate(edge.points[1:-1], depth[edge.child] - len(edge.points) + 2):
                layers[level].append(place)
    return layers, edges


def _edges_from(parent: str, on: str, children: Iterable[str], depth: Mapping[str, int]) -> Iterable[_Edge]:
    """The edges from a box to its children, in the order of their depth.

    They share one trunk, from which each child branches off: edges of their own would pass each layer once for each
    child below it, which is quadratic in a chain whose steps all wait for the first.
    """
    trunk = [parent]
    for child in children:
        branch = len(trunk) - 1
        trunk += [f"{parent} {on} {level}" for level in range(depth[parent] + len(trunk), depth[child])]
        yield _Edge((*trunk[branch:], child), on)


def _across(layers: list[list[str]], edges: Sequence[_Edge], wide: Mapping[str, int]) -> dict[str, float]:
    """The x of each name: near the mean of its neighbours above, then of those below, in turns.

    Orders the layers on the way, for few crossings.
    """
    above: dict[str, list[str]] = {}
    below: dict[str, list[str]] = {}
    for edge in edges:
        for upper, lower in pairwise(edge.points):
            below.setdefault(upper, []).append(lower)
            above.setdefault(lower, []).append(upper)
    x_of: dict[str, float] = {}
    for row in layers:
        x_of.update(_apart(row, {name: float(index) for index, name in enumerate(row)}, wide))
    for sweep in range(SWEEPS):
        near, rows = (above, layers) if sweep % 2 == 0 else (below, layers[::-1])
        for row in rows:
            wanted = {name: _mean([x_of[other] for other in near.get(name, ())], x_of[name]) for name in row}
            if sweep < SWEEPS - 2:
                row.sort(key=lambda name: wanted[name])
            x_of.update(_apart(row, wanted, wide))
    return x_of


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _apart(row: Sequence[str], wanted: Mapping[str, float], wide: Mapping[str, int]) -> dict[str, float]:
    """Places in the order of the row, without overlaps, near to those wanted.

    They are the means of two placements: one that pushes to the right where names would overlap, one to the left.
    """

    def pushed(names: Sequence[str], sign: int) -> dict[str, float]:
        places: dict[str, float] = {}
        last, width = None, 0
        for name in names:
            place = sign * wanted[name]
            if last is not None:
                place = max(place, last + (width + wide.get(name, THIN)) / 2 + GAP)
            last, width = place, wide.get(name, THIN)
            places[name] = sign * place
        return places

    right, left = pushed(row, 1), pushed(row[::-1], -1)
    return {name: (right[name] + left[name]) / 2 for name in row}


# -- how it looks ----------------------------------------------------------------------------------------------


def _line(points: Sequence[tuple[float, float, bool]], on: str, *, labelled: bool) -> str:
    """A curve through points (x, y, whether it is a box), straight down where it passes a layer."""
    x, y, is_box = points[0]
    y += HEIGHT if is_box else HEIGHT / 2
    path = [f"M{x:g} {y:g}"]
    for px, py, is_box in points[1:]:
        end = py if is_box else py + HEIGHT / 2
        bend = (end - y) / 2
        path.append(f"C{x:g} {y + bend:g} {px:g} {end - bend:g} {px:g} {end:g}")
        x, y = px, end
    dashed = "" if on == "ok" else ' stroke-dasharray="4 4"'
    line = f'<path class="edge" d="{"".join(path)}" stroke="#9a9fa8" stroke-width="1.3" fill="none"{dashed}/>'
    if not labelled:
        return line
    (before, _, _), (x, y, is_box) = points[-2:]
    x, y = (7 * x + before) / 8 + 16 * (x == before), y - RISE / 4 if is_box else y + HEIGHT / 2
    where = f'x="{x:g}" y="{y:g}" text-anchor="middle" font-size="11" fill="#777"'
    return f'{line}<text class="on" {where}>{escape(on)}</text>'


def _box(box: Box, x: float, y: float) -> str:
    corner, middle = x - WIDTH / 2, y + (19 if box.below else 28)
    parts = [
        f"<g class={quoteattr(f'box {box.kind}'.strip())}><title>{escape(f'{box.label} {box.below}'.strip())}</title>",
        f'<rect x="{corner:g}" y="{y:g}" width="{WIDTH}" height="{HEIGHT}" rx="7" fill="#eef1f6" stroke="#7b8798"/>',
        f'<text class="name" x="{x:g}" y="{middle:g}" text-anchor="middle">{escape(_cut(box.label, LETTERS))}</text>',
    ]
    if box.below:
        text = escape(_cut(box.below, SMALL_LETTERS))
        parts.append(f'<text class="below" x="{x:g}" y="{y + 35:g}" text-anchor="middle" font-size="11">{text}</text>')
    return "".join([*parts, "</g>"])


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}\N{HORIZONTAL ELLIPSIS}"
