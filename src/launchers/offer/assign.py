"""Give every wanted accelerator its own device: an assignment problem, solved exactly.

Wanted accelerators that are equal and devices that are equal are treated as one with a number, so that the cost
depends on how many kinds there are and not on how many devices.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from attrs import frozen

from launchers.gpus.catalogue import same_model
from launchers.offer.model import Device
from launchers.requirement import Accelerator

PLENTY = 1 << 40
"""Stands for "nobody said how many": no count of devices comes near it."""
ASSUMED = 1 << 70
"""Cost of a device about which something is unknown: dearer than any waste of memory, so known devices go first."""

MOST_MIXED = 10
"""More kinds of wants than this on one node are not looked into: their handing out counts as not ensured."""


@frozen
class Match:
    """How one device serves one wanted accelerator: memory wasted (bytes) and what had to be assumed."""

    waste: int
    assumed: tuple[str, ...]

    @property
    def cost(self) -> int:
        """One number to minimise: assumptions first, then waste."""
        return self.waste + ASSUMED * bool(self.assumed)


def refusal(wanted: Accelerator, device: Device) -> str | None:
    """The first reason code why this device cannot serve, None when it can."""
    if "gpu" not in (wanted.kind, device.kind) and wanted.kind != device.kind:
        return "gpu-kind"
    if wanted.model and device.model and not same_model(wanted.model, device.model):
        return "gpu-model"
    if device.possible and wanted.memory > max(device.possible):
        return "gpu-memory"
    if wanted.memory < device.min_memory and not (wanted.model and not wanted.memory):
        return "gpu-min-memory"
    return None


def doubts(wanted: Accelerator, device: Device) -> tuple[str, ...]:
    """What has to be assumed of one device that is not refused."""
    found = []
    if wanted.kind != "gpu" and device.kind == "gpu":
        found.append(f"that the GPUs are {wanted.kind}")
    if wanted.model and not device.model:
        found.append(f"that the GPU model is {wanted.model}")
    if wanted.memory > min(device.possible, default=0):
        found.append("GPU memory, which is not known")
    return tuple(found)


def serves(wanted: Accelerator, device: Device) -> Match:
    """How a device that is not refused serves: unknown facts become assumptions.

    Of the sizes that a device may have, the smallest that serves counts as its memory.
    """
    assumed = doubts(wanted, device)
    if device.count is None:
        assumed += ("the number of GPUs per node, which is not known",)
    memory = min((size for size in device.possible if size >= wanted.memory), default=wanted.memory)
    return Match(memory - wanted.memory, assumed)


def grouped(wanted: Sequence[Accelerator]) -> list[tuple[Accelerator, int]]:
    """Equal accelerators as one with a number, in order of first appearance."""
    counts: dict[Accelerator, int] = {}
    for one in wanted:
        counts[one] = counts.get(one, 0) + 1
    return list(counts.items())


def assign(wants: Sequence[tuple[Accelerator, int]], devices: Sequence[Device]) -> list[list[int]] | None:
    """How many of each device class serve each wanted class, at the least cost; None when they cannot all be served.

    Successive shortest paths on the small graph source -> wants -> devices -> sink (a min-cost flow), which is
    exact.  The result has a row per want and a column per device class.
    """
    capacity = [PLENTY if device.count is None else device.count for device in devices]
    cost = [[None if refusal(want, device) else serves(want, device).cost for device in devices] for want, _ in wants]
    flow = [[0] * len(devices) for _ in wants]
    for row, (_, number) in enumerate(wants):
        left = number
        while left:
            path = _cheapest_path(row, cost, flow, capacity)
            if path is None:
                return None
            amount = min(left, _bottleneck(path, flow, capacity))
            for index, (want, device) in enumerate(path):
                flow[want][device] += amount
                if index + 1 < len(path):
                    flow[path[index + 1][0]][device] -= amount
            left -= amount
    return flow


def ensured(
    wants: Sequence[tuple[Accelerator, int]],
    devices: Sequence[Device],
    asked: Sequence[tuple[str | None, int]],
    *,
    certain: bool = True,
) -> bool:
    """Whether every set of devices that a scheduler could hand out for `asked` serves everything wanted.

    `asked` has numbers by GRES type (None: any), which is all that Slurm looks at.  `certain` takes no device about
    which something has to be assumed.  By Hall's theorem the wants are served unless some of them could be left with
    fewer devices that serve any of these wants than they are.
    """
    numbers: dict[frozenset[int], int] = {}
    for want, number in wants:
        able = frozenset(
            index
            for index, device in enumerate(devices)
            if refusal(want, device) is None and not (certain and doubts(want, device))
        )
        numbers[able] = numbers.get(able, 0) + number
    if len(numbers) > MOST_MIXED:
        return False
    for size in range(1, len(numbers) + 1):
        for some in combinations(numbers, size):
            able = frozenset().union(*some)
            if _fewest(able, devices, asked) < sum(numbers[one] for one in some):
                return False
    return True


def _fewest(able: frozenset[int], devices: Sequence[Device], asked: Sequence[tuple[str | None, int]]) -> int:
    """The least number of `able` devices in what could be handed out: others are handed out first."""
    least = 0
    for kind, number in asked:
        others = [one for index, one in enumerate(devices) if index not in able and kind in (None, one.type)]
        least += max(0, number - sum(PLENTY if one.count is None else one.count for one in others))
    return least


def _bottleneck(path: list[tuple[int, int]], flow: list[list[int]], capacity: list[int]) -> int:
    last = path[-1][1]
    room = capacity[last] - sum(row[last] for row in flow)
    moved = [flow[path[index + 1][0]][device] for index, (_, device) in enumerate(path[:-1])]
    return min([room, *moved])


def _cheapest_path(
    start: int, cost: list[list[int | None]], flow: list[list[int]], capacity: list[int]
) -> list[tuple[int, int]] | None:
    """The cheapest way to serve one more of `start`, moving others where that pays: [(want, device), ...].

    Each pair takes one device for that want; where the device is full, the want of the next pair gives it up.
    Bellman-Ford, since giving a device up has a negative cost.
    """
    best: dict[int, tuple[int, list[tuple[int, int]]]] = {}
    frontier: dict[int, tuple[int, list[tuple[int, int]]]] = {start: (0, [])}
    settled: dict[int, int] = {start: 0}
    while frontier:
        reached: dict[int, tuple[int, list[tuple[int, int]]]] = {}
        for want, (spent, path) in frontier.items():
            for device, price in enumerate(cost[want]):
                if price is None:
                    continue
                total = spent + price
                if device in best and best[device][0] <= total:
                    continue
                best[device] = (total, [*path, (want, device)])
                for other, row in enumerate(flow):
                    if other == want or not row[device]:
                        continue
                    freed = total - (cost[other][device] or 0)
                    if other not in settled or freed < settled[other]:
                        settled[other] = freed
                        reached[other] = (freed, best[device][1])
        frontier = reached
    open_ends = [
        (total, path) for device, (total, path) in best.items() if sum(row[device] for row in flow) < capacity[device]
    ]
    return min(open_ends, default=(0, None), key=lambda end: end[0])[1]
