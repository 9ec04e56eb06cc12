"""What ``oarnodes -J`` prints, typed: one record per resource (a core, on most sites), gathered into nodes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

MIB = 1024**2
LEVELS = ("host", "network_address", "gpu", "core")
"""Properties that number resources: what jobs can ask for by count."""
NAMING = ("cluster", "gpu_model", "gpu_mem", "cputype", "memnode", "production", "deploy")
"""Properties by which people, and the SQL of a job, name nodes: Grid'5000's."""


@frozen
class OarNode:
    """A host and what its resources say together; memory in bytes, None where they say nothing."""

    name: str
    cores: int | None
    memory: int | None
    gpus: int
    gpu_model: str | None
    gpu_memory: int | None
    states: frozenset[str]
    available_until: int
    properties: tuple[tuple[str, str], ...]

    @property
    def alive(self) -> bool:
        """Whether jobs can start there, now or when it is woken up."""
        return "Alive" in self.states or ("Absent" in self.states and self.available_until > 0)


@frozen
class OarFacts:
    """The nodes of a cluster, the levels that its resources have, and what could not be understood."""

    nodes: tuple[OarNode, ...]
    levels: tuple[str, ...] = ()
    problems: tuple[str, ...] = field(default=())


def is_oarnodes_output(text: str) -> bool:
    """Whether this is what ``oarnodes -J`` prints."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return (
        isinstance(found, dict)
        and bool(found)
        and all(isinstance(one, dict) and "resource_id" in one and "network_address" in one for one in found.values())
    )


def read_oarnodes(text: str) -> OarFacts:
    """The facts in what ``oarnodes -J`` printed; empty text is a cluster without resources.  Raises ValueError."""
    if not text.strip():
        return OarFacts((), problems=("oarnodes printed nothing: there are no resources",))
    found = json.loads(text)
    if not is_oarnodes_output(text):
        raise ValueError("this is not what oarnodes -J prints: an object of resources by their id")
    hosts: dict[str, list[Mapping[str, Any]]] = {}
    problems = []
    for key, resource in sorted(found.items(), key=lambda item: int(item[0]) if item[0].isdigit() else 0):
        name = resource.get("host") or resource.get("network_address")
        if resource.get("type", "default") != "default":
            continue  # licences, disks and networks are no places to run
        if not name:
            problems.append(f"resource {key} has no host")
            continue
        hosts.setdefault(str(name), []).append(resource)
    levels = tuple(level for level in LEVELS if any(one.get(level) is not None for one in found.values()))
    if "host" in levels:
        levels = tuple(level for level in levels if level != "network_address")
    nodes = tuple(_node(name, resources) for name, resources in sorted(hosts.items()))
    return OarFacts(nodes, levels, tuple(problems))


def _node(name: str, resources: list[Mapping[str, Any]]) -> OarNode:
    cores = {one.get("core") for one in resources} - {None}
    gpus = {one.get("gpu") for one in resources} - {None}
    counts = [one["gpu_count"] for one in resources if isinstance(one.get("gpu_count"), int)]
    known = {key: {one.get(key) for one in resources} for key in NAMING}
    agreed = {key: values.pop() for key, values in known.items() if len(values) == 1}
    memory = _whole(resources, "memnode")
    models = {str(one["gpu_model"]) for one in resources if one.get("gpu_model")}
    gpu_memory = _whole(resources, "gpu_mem")
    return OarNode(
        name=name,
        cores=len(cores) or None,
        memory=memory,
        gpus=max(len(gpus), max(counts, default=0)),
        gpu_model=models.pop() if len(models) == 1 else None,
        gpu_memory=gpu_memory,
        states=frozenset(str(one.get("state")) for one in resources),
        available_until=max(int(one.get("available_upto") or 0) for one in resources),
        properties=tuple((key, str(value)) for key, value in agreed.items() if _sayable(value)),
    )


def _whole(resources: list[Mapping[str, Any]], key: str) -> int | None:
    """The least value in MiB that any resource states, in bytes."""
    stated = [one[key] for one in resources if isinstance(one.get(key), int) and one[key] > 0]
    return min(stated) * MIB if stated else None


def _sayable(value: Any) -> bool:
    """Whether a property can stand in a job's SQL."""
    return value not in (None, "") and str(value).isprintable() and "\\" not in str(value)
