"""What a further attempt asks for: ``mem*2, duration*1.5`` multiplies what the last one asked."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import evolve

from launchers.requirement import Alternative, Requirement

FACTORS = ("mem", "cores", "duration", "gpu_mem")
_ESCALATION = re.compile(r"\s*(\w+)\s*\*\s*(\d+(?:\.\d+)?)\s*")


def factors(text: str) -> dict[str, float]:
    """``mem*2, duration*1.5`` as factors; raises ValueError with what may stand there."""
    by_name = {}
    for part in filter(str.strip, text.split(",")):
        matched = _ESCALATION.fullmatch(part)
        if not matched or matched[1] not in FACTORS or not float(matched[2]):
            raise ValueError(f"{part.strip()!r}: write {', '.join(f'{name}*2' for name in FACTORS)}, with commas")
        by_name[matched[1]] = float(matched[2])
    return by_name


def escalated(need: Requirement, by: Mapping[str, float]) -> Requirement:
    """A requirement with its amounts multiplied; what it does not ask stays unasked."""

    def larger(part: Alternative) -> Alternative:
        memory = by.get("gpu_mem", 1)
        return evolve(
            part,
            cpu_memory=times(part.cpu_memory, by.get("mem", 1)),
            cores=times(part.cores, by.get("cores", 1)),
            duration=None if part.duration is None else times(part.duration, by.get("duration", 1)),
            accelerators=tuple(evolve(device, memory=times(device.memory, memory)) for device in part.accelerators),
        )

    return Requirement(tuple(map(larger, need.alternatives)))


def times(amount: int, factor: float) -> int:
    """The next whole amount, so that a small one grows too."""
    return math.ceil(round(amount * factor, 6))


def asked(need: Requirement) -> set[str]:
    """The names of the amounts that a requirement has."""
    parts = need.alternatives
    amounts: dict[str, list[int | None]] = {
        "mem": [part.cpu_memory for part in parts],
        "cores": [part.cores for part in parts],
        "duration": [part.duration for part in parts],
        "gpu_mem": [device.memory for part in parts for device in part.accelerators],
    }
    return {name for name, values in amounts.items() if any(values)}


def asked_by_hand(parameters: Mapping[str, Any]) -> set[str]:
    """The names of the amounts that submitit's parameters have."""
    extra = parameters.get("additional_parameters") or {}
    amounts = {
        "mem": parameters.get("mem") or extra.get("mem"),
        "cores": parameters.get("cpus_per_task"),
        "duration": parameters.get("time"),
    }
    return {name for name, amount in amounts.items() if amount}


def pointless(by: Iterable[str], has: Iterable[str]) -> str:
    """What to say of factors on amounts that are not asked; "" when all are."""
    known = set(has)
    missing = [name for name in by if name not in known]
    return f"it asks for no {' and no '.join(missing)} that could be multiplied: say how much first" if missing else ""
