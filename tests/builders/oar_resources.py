"""A second reader of OAR's facts: what the resources of a cluster are, and what a converted file says, as one kind of list.

It takes nothing from launchers: it is to find what launchers misreads.  A fact is a key, such as ("node", "a-1", "cores"),
and a value: bytes, counts, words.  What a resource does not state is not in the list.
"""

from collections import Counter
from pathlib import Path

import yaml
from slurm_conf import bytes_of, hosts_of

MIB = 1 << 20
PROPERTIES = ("cluster", "gpu_model", "gpu_mem", "cputype", "memnode", "production", "deploy")
"""The properties by which jobs of Grid'5000 choose nodes."""
LEVELS = ("host", "gpu", "core")


def given_facts(resources):
    """Every fact that the resources of a cluster give; each is a dict of its properties."""
    hosts = {}
    for properties in resources:
        if properties.get("type", "default") == "default":
            hosts.setdefault(properties["host"], []).append(properties)
    usable = [name for name, of_host in hosts.items() if any(map(_takes_jobs, of_host))]
    stated = {level for of_host in hosts.values() for one in of_host for level in LEVELS if one.get(level) is not None}
    nodes = {name: _given_node(of_host) for name, of_host in hosts.items()}
    return _facts([level for level in LEVELS if level in stated], nodes, usable)


def _takes_jobs(resource):
    asleep = resource["state"] == "Absent" and resource.get("available_upto", 0) > 0
    return (resource["state"] == "Alive" or asleep) and resource.get("drain", "NO") == "NO"


def _given_node(resources):
    first = resources[0]
    facts = {
        "cores": len({one["core"] for one in resources}),
        "memory": first["memnode"] * MIB,
        "gpus": len({one["gpu"] for one in resources if one.get("gpu")}) or None,
        "gpu model": first.get("gpu_model"),
        "gpu memory": first["gpu_mem"] * MIB if first.get("gpu_mem") else None,
        "architecture": first.get("cpuarch"),
    }
    common = {key for key in PROPERTIES if len({one.get(key) for one in resources}) == 1}
    return facts | {f"property {key}": None if first.get(key) is None else str(first[key]) for key in common}


def converted_facts(file):
    """Every fact that a file of `launchers convert` has of what resources can give, read as plain YAML."""
    (entry,) = yaml.safe_load(Path(file).read_text())["oar"]
    nodes, usable = {}, []
    for block in entry["nodes"]:
        names = hosts_of(block["hosts"])
        assert block["count"] == len(names), block
        nodes |= dict.fromkeys(names, _converted_node(block))
        usable += names[: block.get("available", len(names))]
    return _facts(entry["resources"], nodes, usable)


def _converted_node(block):
    (gpu,) = block.get("accelerators") or [{}]
    facts = {
        "cores": block["cpu"]["cores"],
        "memory": bytes_of(block["cpu"]["memory"]),
        "gpus": gpu.get("count"),
        "gpu model": gpu.get("model"),
        "gpu memory": bytes_of(gpu["memory"]) if "memory" in gpu else None,
        "architecture": block.get("arch"),
    }
    return facts | {f"property {key}": value for key, value in block.get("properties", {}).items()}


def _facts(levels, nodes, usable):
    """A file says how many equal nodes are usable, and not which: so that is a fact of all that are equal."""
    nodes = {name: {key: value for key, value in node.items() if value is not None} for name, node in nodes.items()}
    equal = Counter({frozenset(node.items()): 0 for node in nodes.values()})
    equal.update(frozenset(nodes[name].items()) for name in usable)
    facts = {("cluster", "levels"): list(levels)}
    facts |= {("usable", " ".join(sorted(map(str, node)))): count for node, count in equal.items()}
    return facts | {("node", name, key): value for name, node in nodes.items() for key, value in node.items()}


def misses(given, converted):
    """A line for each fact that is missing, wrong or invented."""
    return [
        f"{' '.join(key)}: the resources give {given.get(key)}, the converted file {converted.get(key)}"
        for key in sorted(given.keys() | converted.keys(), key=str)
        if given.get(key) != converted.get(key)
    ]
