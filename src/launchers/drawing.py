"""A graph as SVG: boxes in layers, each below the lowest that it waits for, edges as curves that go round boxes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from xml.sax.saxutils import escape, quoteattr

from attrs import evolve, frozen

WIDTH, HEIGHT, GAP, RISE = 164, 46, 20, 44
"""Of a box, between boxes of a layer, between layers."""
THIN = 12
"""The width of a place where an edge passes a layer, or where many edges join."""
JOIN = 3
"""So many boxes that wait for the same so many others are drawn through one point: N + M edges and not N x M."""
SWEEPS = 8
SMALLEST = 0.6
"""A drawing is made so much smaller at most to fit its page; a wider one is scrolled."""
LETTERS, SMALL_LETTERS = 19, 26
"""So many letters fit a box."""


@frozen
class Box:
    """A box: its name, those it waits for and with what, one or two lines of text, a class for its colour."""

    name: str
    waits: tuple[tuple[str, str], ...]
    label: str
    below: str = ""
    kind: str = ""


def svg(boxes: Sequence[Box]) -> str:
    """The drawing; its colours are attributes, so that the style sheet of a page may replace them."""
    joined = _joined(boxes)
    layers, chains = _layers({box.name: tuple(name for name, _ in box.waits) for box in joined})
    wide = {box.name: WIDTH for box in boxes}
    at = _across(layers, chains, wide)
    left = min((at[name] - wide.get(name, THIN) / 2 for name in at), default=0) - 2
    right = max((at[name] + wide.get(name, THIN) / 2 for name in at), default=0) + 2
    down = {name: depth * (HEIGHT + RISE) + 2 for depth, row in enumerate(layers) for name in row}
    tall = len(layers) * (HEIGHT + RISE) - RISE + 4
    known = {box.name: box for box in boxes}
    ons = {(name, box.name): on for box in joined for name, on in box.waits}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{right - left:g}" height="{tall:g}" '
        f'style="max-width:{right - left:g}px;min-width:{SMALLEST * (right - left):g}px" '
        f'viewBox="{left:g} 0 {right - left:g} {tall:g}" font-family="system-ui, sans-serif" font-size="13" role="img">'
    ]
    told: set[tuple[str, str]] = set()
    for (parent, child), through in chains.items():
        points = [(at[name], down[name], name in known) for name in (parent, *through, child)]
        on = ons[parent, child]
        parts.append(_edge(points, on, named=on != "ok" and (child, on) not in told))
        told.add((child, on))
    parts += [_box(known[name], at[name], down[name]) for row in layers for name in row if name in known]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _joined(boxes: Sequence[Box]) -> list[Box]:
    """The boxes with a point where many wait for the same many."""
    alike: dict[tuple[tuple[str, str], ...], list[Box]] = {}
    for box in boxes:
        alike.setdefault(box.waits, []).append(box)
    found: list[Box] = []
    for box in boxes:
        group = alike[box.waits]
        if len(box.waits) < JOIN or len(group) < JOIN:
            found.append(box)
            continue
        point = f"join {group[0].name}"  # no step has a blank in its name
        if box is group[0]:
            found.append(Box(point, box.waits, ""))
        found.append(evolve(box, waits=((point, "ok"),)))
    return found


# -- where everything is ---------------------------------------------------------------------------------------


def _layers(
    parents: Mapping[str, tuple[str, ...]],
) -> tuple[list[list[str]], dict[tuple[str, str], list[str]]]:
    """The names by layer from the top, and per edge the places, named as well, where it passes a layer between."""
    depth: dict[str, int] = {}
    for name, before in parents.items():  # parents come first
        depth[name] = max((depth[one] + 1 for one in before), default=0)
    layers: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for name, number in depth.items():
        layers[number].append(name)
    chains: dict[tuple[str, str], list[str]] = {}
    for name, before in parents.items():
        for one in before:
            through = [f"{one} {name} {level}" for level in range(depth[one] + 1, depth[name])]
            for level, place in enumerate(through, depth[one] + 1):
                layers[level].append(place)
            chains[one, name] = through
    return layers, chains


def _across(
    layers: list[list[str]], chains: Mapping[tuple[str, str], list[str]], wide: Mapping[str, int]
) -> dict[str, float]:
    """Where each stands in its layer: near the mean of those above it, then of those below, in turns.

    Orders the layers on the way, so that few edges cross.
    """
    above: dict[str, list[str]] = {}
    below: dict[str, list[str]] = {}
    for (parent, child), through in chains.items():
        line = [parent, *through, child]
        for upper, lower in pairwise(line):
            below.setdefault(upper, []).append(lower)
            above.setdefault(lower, []).append(upper)
    at: dict[str, float] = {}
    for row in layers:
        at.update(_apart(row, {name: float(index) for index, name in enumerate(row)}, wide))
    for sweep in range(SWEEPS):
        near, rows = (above, layers) if sweep % 2 == 0 else (below, layers[::-1])
        for row in rows:
            wanted = {name: _mean((at[one] for one in near.get(name, ())), at[name]) for name in row}
            if sweep < SWEEPS - 2:
                row.sort(key=lambda name: wanted[name])
            at.update(_apart(row, wanted, wide))
    return at


def _mean(values: Iterable[float], otherwise: float) -> float:
    listed = list(values)
    return sum(listed) / len(listed) if listed else otherwise


def _apart(row: Sequence[str], wanted: Mapping[str, float], wide: Mapping[str, int]) -> dict[str, float]:
    """As near to where each is wanted as the others let it: the mean of pushing to the right and to the left."""

    def pushed(names: Sequence[str], sign: int) -> dict[str, float]:
        found: dict[str, float] = {}
        last, width = None, 0
        for name in names:
            place = sign * wanted[name]
            if last is not None:
                place = max(place, last + (width + wide.get(name, THIN)) / 2 + GAP)
            last, width = place, wide.get(name, THIN)
            found[name] = sign * place
        return found

    right, left = pushed(row, 1), pushed(row[::-1], -1)
    return {name: (right[name] + left[name]) / 2 for name in row}


# -- how it looks ----------------------------------------------------------------------------------------------


def _edge(points: Sequence[tuple[float, float, bool]], on: str, named: bool) -> str:
    """A curve from box to box; straight down where it passes a layer."""
    x, y, real = points[0]
    y += HEIGHT if real else HEIGHT / 2
    path = [f"M{x:g} {y:g}"]
    for px, py, real in points[1:]:
        end = py if real else py + HEIGHT / 2
        bend = (end - y) / 2
        path.append(f"C{x:g} {y + bend:g} {px:g} {end - bend:g} {px:g} {end:g}")
        x, y = px, end
    dashed = "" if on == "ok" else ' stroke-dasharray="4 4"'
    line = f'<path class="edge" d="{"".join(path)}" stroke="#9a9fa8" stroke-width="1.3" fill="none"{dashed}/>'
    if not named:
        return line
    (before, _, _), (x, y, real) = points[-2:]
    x, y = (7 * x + before) / 8 + 16 * (x == before), y - RISE / 4 if real else y + HEIGHT / 2
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
