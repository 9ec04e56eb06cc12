"""The facts of an OAR cluster: what ``oarnodes -J`` prints, typed, the resources of a host together as a node.

On most sites a resource is a core (docs/oar-facts.md#resources).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from attrs import evolve, field, frozen

from launchers.oar.answers import find_documents
from launchers.quantities.architectures import normalize_architecture
from launchers.quantities.numbers import whole_number
from launchers.quantities.units import MIB

LEVELS = ("host", "network_address", "gpu", "core")
"""The properties that number resources, so that a job can ask for some number of them."""
NAMING_PROPERTIES = ("cluster", "gpu_model", "gpu_mem", "cputype", "memnode", "production", "deploy")
"""The properties that name nodes in a job's SQL: those of Grid'5000."""
OTHERS = "only the first of several outputs of oarnodes -J is read: convert each by itself"
"""What is wrong with several clusters in one text, or one cluster at several times."""

Resource = Mapping[str, Any]


@frozen
class OarNode:
    """A host with all its resources. Memory is in bytes; None where no resource states a value.

    `arch` is the architecture of its processors: the property cpuarch of Grid'5000.
    """

    name: str
    cores: int | None
    memory: int | None
    gpus: int
    gpu_model: str | None
    gpu_memory: int | None
    states: frozenset[str]
    available_until: int
    arch: str | None
    properties: tuple[tuple[str, str], ...]

    @property
    def alive(self) -> bool:
        """Whether jobs can start there, now or once OAR has woken it up (docs/oar-facts.md#resources)."""
        return "Alive" in self.states or ("Absent" in self.states and self.available_until > 0)


@frozen
class OarFacts:
    """The nodes of a cluster, the levels that its resources have, and the parts that could not be read."""

    nodes: tuple[OarNode, ...]
    levels: tuple[str, ...] = ()
    problems: tuple[str, ...] = field(default=())


def is_oarnodes_output(text: str) -> bool:
    """Whether a text is what ``oarnodes -J`` prints."""
    return next(find_documents(text, _is_object_of_resources), None) is not None


def read_oarnodes(text: str) -> OarFacts:
    """The facts in the output of ``oarnodes -J``, which is empty where there are no resources.

    Raises ValueError for any other text.
    """
    if not text.strip():
        return OarFacts((), problems=("oarnodes printed nothing: the cluster has no resources",))
    documents = list(find_documents(text, _is_object_of_resources))
    try:
        if not documents:
            raise ValueError(f"no JSON object as is expected in {text.strip()[:80]!r}")
        facts = _facts(documents[0])
    except (ValueError, TypeError, OverflowError) as error:
        message = f"this is not what oarnodes -J prints, an object of resources by their id: {error}"
        raise ValueError(message) from None
    if any(other != documents[0] for other in documents):
        return evolve(facts, problems=(*facts.problems, OTHERS))
    return facts


def _facts(resources: Mapping[str, Resource]) -> OarFacts:
    hosts: dict[str, list[Resource]] = {}
    problems = []
    for id, resource in sorted(resources.items(), key=lambda item: whole_number(item[0]) or 0):
        host = resource.get("host") or resource.get("network_address")
        if resource.get("type", "default") != "default":
            continue  # licences, disks and networks are no places to run
        if host:
            hosts.setdefault(str(host), []).append(resource)
        else:
            problems.append(f"resource {id} has no host")
    nodes = tuple(_node(name, of_host) for name, of_host in sorted(hosts.items()))
    return OarFacts(nodes, _levels(resources.values()), tuple(problems))


def _is_object_of_resources(document: Any) -> bool:
    return isinstance(document, dict) and bool(document) and all(map(_is_resource, document.values()))


def _is_resource(entry: Any) -> bool:
    return isinstance(entry, dict) and {"resource_id", "network_address"} <= entry.keys()


def _levels(resources: Collection[Resource]) -> tuple[str, ...]:
    """The levels that any resource has; host and network_address are names of one level."""
    levels = [level for level in LEVELS if any(resource.get(level) is not None for resource in resources)]
    return tuple(level for level in levels if level != "network_address" or "host" not in levels)


def _node(name: str, resources: list[Resource]) -> OarNode:
    cores = {resource.get("core") for resource in resources} - {None}
    models = {str(resource["gpu_model"]) for resource in resources if resource.get("gpu_model")}
    return OarNode(
        name=name,
        cores=len(cores) or None,
        memory=_least_memory(resources, "memnode"),
        gpus=_count_gpus(resources),
        gpu_model=models.pop() if len(models) == 1 else None,
        gpu_memory=_least_memory(resources, "gpu_mem"),
        states=frozenset(map(_state, resources)),
        available_until=max(int(resource.get("available_upto") or 0) for resource in resources),
        arch=_architecture(resources),
        properties=_common_properties(resources),
    )


def _state(resource: Resource) -> str:
    """The state of a resource; OAR starts no job on one that is drained (docs/oar-facts.md#resources)."""
    return "drained" if resource.get("drain") == "YES" else str(resource.get("state"))


def _architecture(resources: list[Resource]) -> str | None:
    """The architecture that all resources of a host state; None where they state none, or several."""
    stated = {normalize_architecture(str(resource["cpuarch"])) for resource in resources if resource.get("cpuarch")}
    return stated.pop() if len(stated) == 1 else None


def _count_gpus(resources: list[Resource]) -> int:
    """The GPUs that the resources number, or the gpu_count that they state, whichever is more.

    A gpu_count of 0 everywhere says that there are none. Without GPUs, a site may give every resource the number 0.
    """
    stated = (whole_number(str(resource.get("gpu_count"))) for resource in resources)
    counts = [number for number in stated if number is not None]
    if counts and not any(counts):
        return 0
    numbered = {resource["gpu"] for resource in resources if _has_gpu(resource)}
    return max(len(numbered), max(counts, default=0))


def _has_gpu(resource: Resource) -> bool:
    """Whether a resource belongs to a GPU: it has a number for one, and with the number 0 something more about it."""
    number = resource.get("gpu")
    is_described = any(resource.get(key) not in (None, "", 0) for key in ("gpu_count", "gpu_model", "gpu_mem"))
    return number is not None and (str(number) != "0" or is_described or resource.get("gpudevice") is not None)


def _least_memory(resources: list[Resource], key: str) -> int | None:
    """The least value in MiB that any resource states, in bytes."""
    stated = [resource[key] for resource in resources if isinstance(resource.get(key), int) and resource[key] > 0]
    return min(stated) * MIB if stated else None


def _common_properties(resources: list[Resource]) -> tuple[tuple[str, str], ...]:
    """The naming properties that all resources of a host have with one value, as far as SQL can name that value."""
    values = {key: {resource.get(key) for resource in resources} for key in NAMING_PROPERTIES}
    common = {key: distinct.pop() for key, distinct in values.items() if len(distinct) == 1}
    return tuple((key, str(value)) for key, value in common.items() if _can_stand_in_sql(value))


def _can_stand_in_sql(value: Any) -> bool:
    """Databases read a backslash differently (docs/oar-facts.md#requests)."""
    return value not in (None, "") and str(value).isprintable() and "\\" not in str(value)
