"""Requirements as Python objects: immutable, hashable, equal when they mean the same.

Resources are per node: ``nodes=2 & cuda()*4`` is two nodes with four devices each.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from fractions import Fraction

from attrs import evolve, field, frozen

from launchers.quantities.units import format_memory, format_timespan, parse_memory, parse_timespan

ACCELERATOR_KINDS = ("cuda", "rocm", "mps", "gpu")
"""The kinds of accelerator; `gpu` is any kind."""
MAX_COUNT = 100_000
"""Most nodes, cores or devices that a requirement may ask for."""
MAX_DEVICES = 4096
"""Most accelerators of one node."""
_BARE_MODEL = re.compile(r"[A-Za-z0-9][\w.+-]*", re.ASCII)
MAX_ALTERNATIVES = 256
"""Most alternatives of a requirement; parentheses multiply them, and more are a mistake."""


@frozen
class Accelerator:
    """One wanted device: its kind, least memory in bytes (0: any) and model (None: any)."""

    kind: str
    memory: int = 0
    model: str | None = None

    def __str__(self) -> str:
        arguments = [f"mem={format_memory(self.memory)}"] if self.memory else []
        if self.model:
            arguments.append(f"model={_model_text(self.model)}")
        return f"{self.kind}({', '.join(arguments)})"


def _model_text(model: str) -> str:
    return model if _BARE_MODEL.fullmatch(model) else f'"{model}"'


def _canonical(accelerators: Iterable[Accelerator]) -> tuple[Accelerator, ...]:
    return tuple(sorted(accelerators, key=lambda device: (device.kind, device.memory, device.model or "")))


@frozen
class Alternative:
    """Terms that all hold, per node but for the duration. Seconds and bytes; 0 or None: not asked for."""

    duration: int | None = None
    cpu_memory: int = 0
    cores: int = 0
    accelerators: tuple[Accelerator, ...] = field(default=(), converter=_canonical)
    nodes: int = 1

    def __str__(self) -> str:
        terms = [f"duration={format_timespan(self.duration)}"] if self.duration else []
        if self.nodes > 1:
            terms.append(f"nodes={self.nodes}")
        cpu = [f"mem={format_memory(self.cpu_memory)}"] if self.cpu_memory else []
        if self.cores:
            cpu.append(f"cores={self.cores}")
        counts = Counter(self.accelerators)
        devices = [f"{device} * {count}" if count > 1 else str(device) for device, count in counts.items()]
        if cpu or not (terms or devices):
            terms.append(f"cpu({', '.join(cpu)})")
        return " & ".join(terms + devices)

    def __and__(self, other: Alternative) -> Alternative:
        durations = [value for value in (self.duration, other.duration) if value is not None]
        if len(self.accelerators) + len(other.accelerators) > MAX_DEVICES:
            raise ValueError(f"more than {MAX_DEVICES} accelerators on one node: no node has so many")
        return Alternative(
            duration=max(durations, default=None),
            cpu_memory=max(self.cpu_memory, other.cpu_memory),
            cores=max(self.cores, other.cores),
            accelerators=self.accelerators + other.accelerators,
            nodes=max(self.nodes, other.nodes),
        )


def _distinct(alternatives: Iterable[Alternative]) -> tuple[Alternative, ...]:
    return tuple(dict.fromkeys(alternatives))


@frozen
class Requirement:
    """What a job needs: alternatives, of which the first that can be had is taken."""

    alternatives: tuple[Alternative, ...] = field(converter=_distinct)

    @alternatives.validator
    def _some(self, _: object, value: tuple[Alternative, ...]) -> None:
        if not value:
            raise ValueError("a requirement has at least one alternative")

    def __str__(self) -> str:
        return " | ".join(str(alternative) for alternative in self.alternatives)

    def __and__(self, other: object) -> Requirement:
        """Both: every alternative of the left with every one of the right, in the order of preference, left first."""
        if not isinstance(other, Requirement):
            return NotImplemented
        if len(self.alternatives) * len(other.alternatives) > MAX_ALTERNATIVES:
            raise ValueError(f"more than {MAX_ALTERNATIVES} alternatives once the parentheses are multiplied out")
        return Requirement(tuple(mine & theirs for mine in self.alternatives for theirs in other.alternatives))

    def __or__(self, other: object) -> Requirement:
        """Either of the two; the left is preferred."""
        if not isinstance(other, Requirement):
            return NotImplemented
        if len(self.alternatives) + len(other.alternatives) > MAX_ALTERNATIVES:
            raise ValueError(f"more than {MAX_ALTERNATIVES} alternatives")
        return Requirement(self.alternatives + other.alternatives)

    def __mul__(self, count: object) -> Requirement:
        """The accelerators `count` times, in every alternative.

        Raises ValueError for a count below 1, and for terms other than accelerators: twice a duration or a CPU could
        mean several things (see `multiply_duration` and `nodes`).
        """
        if isinstance(count, bool) or not isinstance(count, int):
            return NotImplemented
        if count < 1:
            raise ValueError(f"a number of accelerators must be 1 or more, not {count}")
        for alternative in self.alternatives:
            if alternative != Alternative(accelerators=alternative.accelerators) or not alternative.accelerators:
                raise ValueError(f"only accelerators can be multiplied, not {alternative}")
            if len(alternative.accelerators) * count > MAX_DEVICES:
                raise ValueError(f"{count} is too many accelerators on one node: no node has more than {MAX_DEVICES}")
        return Requirement(
            tuple(
                evolve(alternative, accelerators=alternative.accelerators * count) for alternative in self.alternatives
            )
        )

    __rmul__ = __mul__

    def multiply_duration(self, factor: float) -> Requirement:
        """The same with every duration multiplied and rounded to seconds.

        Raises ValueError for a factor that is not above zero, and for a duration that would become 0 or too long.
        """
        if not 0 < factor < math.inf:
            raise ValueError(f"a duration can only be multiplied by a number above zero, not by {factor}")
        return Requirement(
            tuple(
                alternative
                if alternative.duration is None
                else evolve(alternative, duration=parse_timespan(round(alternative.duration * Fraction(factor))))
                for alternative in self.alternatives
            )
        )


def cpu(mem: str | int | None = None, cores: int | None = None) -> Requirement:
    """CPU memory ("64G", or bytes) and cores of each node. Raises ValueError for what is neither."""
    memory = 0 if mem is None else parse_memory(mem)
    return Requirement((Alternative(cpu_memory=memory, cores=0 if cores is None else _count(cores, "cores")),))


def _accelerator(kind: str, mem: str | int | None, model: str | None) -> Requirement:
    if model is not None and (not model.strip() or '"' in model or not model.isprintable()):
        raise ValueError(f"{model!r} is not the name of a GPU model")
    memory = 0 if mem is None else parse_memory(mem)
    return Requirement((Alternative(accelerators=(Accelerator(kind, memory, model),)),))


def cuda_gpu(mem: str | int | None = None, model: str | None = None) -> Requirement:
    """One NVIDIA GPU with at least this much memory ("24G", or bytes)."""
    return _accelerator("cuda", mem, model)


def rocm_gpu(mem: str | int | None = None, model: str | None = None) -> Requirement:
    """One AMD GPU with at least this much memory ("24G", or bytes)."""
    return _accelerator("rocm", mem, model)


def mps_gpu(mem: str | int | None = None, model: str | None = None) -> Requirement:
    """One Apple GPU with at least this much memory ("24G", or bytes)."""
    return _accelerator("mps", mem, model)


def gpu(mem: str | int | None = None, model: str | None = None) -> Requirement:
    """One GPU of any kind with at least this much memory ("24G", or bytes)."""
    return _accelerator("gpu", mem, model)


def duration(timespan: str | int | timedelta) -> Requirement:
    """The most time that the job runs ("4 days", seconds, or a timedelta)."""
    return Requirement((Alternative(duration=parse_timespan(timespan)),))


def nodes(number: int) -> Requirement:
    """The number of nodes; all other terms hold for each of them."""
    return Requirement((Alternative(nodes=_count(number, "nodes")),))


def _count(number: int, what: str) -> int:
    if isinstance(number, bool) or not isinstance(number, int):
        raise TypeError(f"{what} must be a whole number, not {number!r}")
    if not 1 <= number <= MAX_COUNT:
        raise ValueError(f"{what} must be from 1 to {MAX_COUNT}, not {number}")
    return number
