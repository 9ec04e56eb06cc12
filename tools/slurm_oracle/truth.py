"""What a need means, said a second time and plainly: which nodes of a description serve it, and how.

It is brute force over the description and shares nothing with the matcher but the parsed requirement.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import combinations, permutations
from typing import Any

from launchers.requirement import Accelerator, Alternative

GIB = 1024**3
MIB = 1024**2

Vector = tuple[tuple[str | None, int], ...]
"""Numbers of GPUs by GRES type, None for an untyped GRES."""


def serves(wanted: Accelerator, device: dict[str, Any]) -> bool | None:
    """Whether a device is what is wanted; None where the description leaves it open."""
    if wanted.kind in ("rocm", "mps"):
        return False if device["model"] else None
    open_ = wanted.kind == "cuda" and not device["model"]
    if wanted.model:
        if device["model"] and device["model"] != wanted.model:
            return False
        open_ = open_ or not device["model"]
    if wanted.memory:
        if device["gib"] and wanted.memory > device["gib"] * GIB:
            return False
        open_ = open_ or not device["gib"]
    return None if open_ else True


def singles(devices: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each device of a node by itself."""
    return [one for one in devices for _ in range(one["count"])]


def vectors(alternative: Alternative, devices: list[dict[str, Any]]) -> set[Vector]:
    """Every way, by numbers of types, to serve the accelerators with known devices; {()} where none are wanted.

    Also with no type named, where every device of the node serves.
    """
    wanted = alternative.accelerators
    each = singles(devices)
    found: set[Vector] = set()
    ways = combinations if len(set(wanted)) <= 1 else permutations
    for chosen in ways(each, len(wanted)):
        if all(serves(want, one) for want, one in zip(wanted, chosen, strict=True)):
            counts = Counter(one["type"] for one in chosen)
            found.add(tuple(sorted(counts.items(), key=lambda item: item[0] or "")))
    if found and wanted and all(serves(want, one) for want in wanted for one in devices):
        found.add(((None, len(wanted)),))
    return found


def handouts(options: dict[str, Any], devices: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Every set of devices that Slurm may hand out on a node for these sbatch options."""
    text = str(options.get("gpus-per-node") or "")
    asked = [part.rpartition(":")[::2] for part in text.split(",")] if text else []
    asked += [(part.split(":")[1] if part.count(":") == 2 else "", part.split(":")[-1]) for part in _gres(options)]
    each = singles(devices)

    def pick(number: int, used: frozenset[int]) -> Iterator[frozenset[int]]:
        if number == len(asked):
            yield used
            return
        kind, count = asked[number]
        able = [i for i, one in enumerate(each) if i not in used and (not kind or one["type"] == kind)]
        for chosen in combinations(able, int(count)):
            yield from pick(number + 1, used | frozenset(chosen))

    for used in set(pick(0, frozenset())):
        yield [each[index] for index in sorted(used)]


def _gres(options: dict[str, Any]) -> list[str]:
    return [part for part in str(options.get("gres") or "").split(",") if part]


def suits(
    alternative: Alternative, node: dict[str, Any], options: dict[str, Any], devices: list[dict[str, Any]]
) -> bool:
    """Whether a job that asks this on this node has what it needs, whatever devices it is handed (unknown: yes)."""
    gpus = [*str(options.get("gpus-per-node") or "").split(","), *_gres(options)]
    number = sum(int(part.rpartition(":")[2]) for part in gpus if part)
    if max(int(options.get("cpus-per-task", 1)), int(options.get("cpus-per-gpu", 0)) * number) < alternative.cores:
        return False
    mem = str(options.get("mem", ""))
    memory = int(mem.removesuffix("M")) * MIB if mem else node["RealMemory"] * MIB
    if alternative.cpu_memory > memory:
        return False
    return all(_served(alternative.accelerators, handed) for handed in handouts(options, devices))


def _served(wanted: tuple[Accelerator, ...], handed: list[dict[str, Any]]) -> bool:
    return any(
        all(serves(want, handed[index]) is not False for want, index in zip(wanted, order, strict=True))
        for order in permutations(range(len(handed)), len(wanted))
    )
