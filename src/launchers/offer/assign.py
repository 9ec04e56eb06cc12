"""Give every wanted accelerator a device of its own: an assignment problem, solved exactly.

Equal accelerators are handled together with their number, and so are equal devices. The cost depends on how many kinds
there are, not on how many devices.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence, Set
from itertools import combinations, pairwise
from typing import Literal

from attrs import frozen

from launchers.gpus.catalogue import ASKABLE, may_be_model, same_model
from launchers.offer.assumption import Assumption, Unstated
from launchers.offer.model import Device
from launchers.requirement import Accelerator

DeviceReason = Literal["gpu-kind", "gpu-model", "gpu-memory", "gpu-min-memory"]
"""Why a device cannot serve a wanted accelerator."""
UNKNOWN_COUNT = 1 << 40
"""Stands for an unknown number of devices: larger than any real number."""
ASSUMPTION_COST = 1 << 70
"""Cost of a device that needs an assumption: higher than any waste of memory, so known devices go first."""
MAX_WANT_KINDS = 10
"""With more kinds of wanted accelerators on one node, `any_grant_satisfies` answers no without looking."""


@frozen
class DeviceMatch:
    """How one device serves one wanted accelerator: the memory wasted (bytes), and what has to be assumed."""

    waste: int
    assumed: tuple[Assumption, ...]

    @property
    def cost(self) -> int:
        """One number to minimise: assumptions first, then waste."""
        return self.waste + ASSUMPTION_COST * bool(self.assumed)


def device_rejection(wanted: Accelerator, device: Device) -> DeviceReason | None:
    """The first reason why this device cannot serve; None when it can."""
    if wanted.kind not in ("gpu", device.kind) and not device.may_be_of_any_kind:
        return "gpu-kind"
    if wanted.model and device.names and not any(_can_be(wanted.model, name) for name in device.names):
        return "gpu-model"
    if device.possible_sizes and wanted.memory > max(device.possible_sizes):
        return "gpu-memory"
    asks_by_model = wanted.model and not wanted.memory
    if wanted.memory < device.min_memory and not asks_by_model:
        return "gpu-min-memory"
    return None


def _can_be(model: str, name: str) -> bool:
    return same_model(model, name) or may_be_model(model, name)


def assumptions(wanted: Accelerator, device: Device) -> tuple[Assumption, ...]:
    """What has to be assumed of one device that is not rejected."""
    assumed = []
    if wanted.kind != "gpu" and device.kind == "gpu":
        assumed.append(Assumption(Unstated.GPU_KIND, wanted.kind))
    if wanted.kind == "gpu" and device.kind not in ASKABLE and device.names:
        assumed.append(Assumption(Unstated.GPU_USE, device.names[0]))
    if wanted.model and not any(same_model(wanted.model, name) for name in device.names):
        assumed.append(Assumption(Unstated.GPU_MODEL, wanted.model))
    if wanted.memory > min(device.possible_sizes, default=0):
        assumed.append(Assumption(Unstated.GPU_MEMORY))
    return tuple(assumed)


def match_device(wanted: Accelerator, device: Device) -> DeviceMatch:
    """How a device that is not rejected serves. Unknown facts become assumptions.

    A device that may have several sizes counts with the smallest size that serves.
    """
    assumed = assumptions(wanted, device)
    if device.count is None:
        assumed += (Assumption(Unstated.GPU_COUNT),)
    memory = min((size for size in device.possible_sizes if size >= wanted.memory), default=wanted.memory)
    return DeviceMatch(memory - wanted.memory, assumed)


def count_equal(wanted: Sequence[Accelerator]) -> list[tuple[Accelerator, int]]:
    """Each different accelerator with its number, in the order of first appearance."""
    return list(Counter(wanted).items())


# -- may a scheduler choose the devices? -----------------------------------------------------------------------


def any_grant_satisfies(
    wants: Sequence[tuple[Accelerator, int]],
    devices: Sequence[Device],
    asked: Sequence[tuple[str | None, int]],
    *,
    allowed: Set[Assumption] | None = frozenset(),
) -> bool:
    """Whether every set of devices that a scheduler may grant for `asked` serves everything wanted.

    `asked` has numbers by GRES type (None: any type), which is all that Slurm looks at. A device that needs another
    assumption than those `allowed` does not serve; None: all are allowed.

    By Hall's theorem the answer is yes when, for each group of wants, a grant always has at least as many devices that
    serve some want of the group as the group has wants.
    """
    wants_by_devices: Counter[frozenset[int]] = Counter()
    for want, number in wants:
        serving = frozenset(
            index
            for index, device in enumerate(devices)
            if device_rejection(want, device) is None and (allowed is None or allowed >= {*assumptions(want, device)})
        )
        wants_by_devices[serving] += number
    if len(wants_by_devices) > MAX_WANT_KINDS:
        return False
    for size in range(1, len(wants_by_devices) + 1):
        for group in combinations(wants_by_devices, size):
            needed = sum(wants_by_devices[serving] for serving in group)
            if _fewest_granted(frozenset().union(*group), devices, asked) < needed:
                return False
    return True


def _fewest_granted(serving: frozenset[int], devices: Sequence[Device], asked: Sequence[tuple[str | None, int]]) -> int:
    """The least number of `serving` devices in a grant: the scheduler may grant all others first."""
    least = 0
    for gres_type, number in asked:
        others = sum(
            _capacity(device)
            for index, device in enumerate(devices)
            if index not in serving and gres_type in (None, device.type)
        )
        least += max(0, number - others)
    return least


def _capacity(device: Device) -> int:
    return UNKNOWN_COUNT if device.count is None else device.count


# -- the cheapest assignment -----------------------------------------------------------------------------------

Step = tuple[int, int]
"""A want takes one device: (index of the want, index of the device class)."""


def assign(wants: Sequence[tuple[Accelerator, int]], devices: Sequence[Device]) -> list[list[int]] | None:
    """How many devices of each class serve each want, at the least cost; None when not all wants can be served.

    The result has a row per want and a column per device class. The method is a min-cost flow by successive shortest
    paths on the small graph source -> wants -> devices -> sink, which is exact.
    """
    flow = _Flow(
        cost=[
            [None if device_rejection(want, device) else match_device(want, device).cost for device in devices]
            for want, _ in wants
        ],
        capacity=[_capacity(device) for device in devices],
        taken=[[0] * len(devices) for _ in wants],
    )
    for want, (_, number) in enumerate(wants):
        while number:
            path = flow.cheapest_path(want)
            if path is None:
                return None
            amount = min(number, flow.bottleneck(path))
            flow.push(path, amount)
            number -= amount
    return flow.taken


@frozen
class _Flow:
    """The flow so far: `taken` has a row per want and a column per device class, like `cost` (None: cannot serve)."""

    cost: list[list[int | None]]
    capacity: list[int]
    taken: list[list[int]]

    def free(self, device: int) -> int:
        """How many devices of a class no want has taken."""
        return self.capacity[device] - sum(row[device] for row in self.taken)

    def bottleneck(self, path: list[Step]) -> int:
        """How many wants can go along a path at once."""
        moved = [self.taken[giver][device] for (_, device), (giver, _) in pairwise(path)]
        return min([self.free(path[-1][1]), *moved])

    def push(self, path: list[Step], amount: int) -> None:
        """Serve `amount` more of the first want of a path: each want takes a device that the next gives up."""
        for want, device in path:
            self.taken[want][device] += amount
        for (_, device), (giver, _) in pairwise(path):
            self.taken[giver][device] -= amount

    def cheapest_path(self, start: int) -> list[Step] | None:
        """The cheapest way to serve one more of `start`, moving other wants where that pays; None: there is no way.

        Each step takes one device for its want. Where no device is free, the want of the next step gives its own up.
        This is Bellman-Ford, since giving a device up has a negative cost.
        """
        to_device: dict[int, tuple[int, list[Step]]] = {}
        to_want: dict[int, int] = {start: 0}
        frontier: dict[int, tuple[int, list[Step]]] = {start: (0, [])}
        while frontier:
            reached: dict[int, tuple[int, list[Step]]] = {}
            for want, (spent, path) in frontier.items():
                for device, total in self._improved(want, spent, to_device):
                    to_device[device] = (total, [*path, (want, device)])
                    for giver, freed in self._givers(want, device, total):
                        if giver not in to_want or freed < to_want[giver]:
                            to_want[giver] = freed
                            reached[giver] = (freed, to_device[device][1])
            frontier = reached
        ends = [end for device, end in to_device.items() if self.free(device)]
        return min(ends, key=lambda end: end[0])[1] if ends else None

    def _improved(
        self, want: int, spent: int, to_device: dict[int, tuple[int, list[Step]]]
    ) -> Iterator[tuple[int, int]]:
        """The devices that a want reaches at a lower cost than before, with that cost."""
        for device, price in enumerate(self.cost[want]):
            if price is not None and (device not in to_device or spent + price < to_device[device][0]):
                yield device, spent + price

    def _givers(self, want: int, device: int, total: int) -> Iterator[tuple[int, int]]:
        """The other wants that have a device of this class, with the cost once one of them gives it up."""
        for giver, row in enumerate(self.taken):
            if giver != want and row[device]:
                yield giver, total - (self.cost[giver][device] or 0)
