"""A second reader of facts: what slurm.conf and gres.conf give, and what a converted file says, as one kind of list.

It is written from slurm.conf(5) and gres.conf(5), and takes nothing from launchers: it is to find what launchers misreads.
A fact is a key, such as ("partition", "gpu", "max_time"), and a value: bytes, seconds, counts, sets of words. What is
not set is not in the list.
"""

import itertools
import re
from pathlib import Path

import yaml

MIB = 1 << 20
LIMITS = {
    "MaxNodes": "max_nodes", "MaxCPUsPerNode": "max_cpus_per_node", "MaxMemPerNode": "max_mem_per_node",
    "MaxMemPerCPU": "max_mem_per_cpu", "MinNodes": "min_nodes", "MaxTime": "max_duration",
}  # fmt: skip
DEFAULTS = {
    "DefMemPerCPU": "def_mem_per_cpu", "DefMemPerNode": "def_mem_per_node", "DefMemPerGPU": "def_mem_per_gpu",
    "DefCpuPerGPU": "def_cpu_per_gpu", "DefaultTime": "default_time",
}  # fmt: skip
WORDS = {"AllowQos": "qos", "AllowAccounts": "accounts", "DenyQos": "deny_qos", "DenyAccounts": "deny_accounts"}


# -- values --------------------------------------------------------------------------------------------------------


def hosts_of(text):
    """``n[01-03,7],m`` as names."""
    names = []
    for item in re.findall(r"(?:[^,\[]|\[[^\]]*\])+", text):
        parts = re.split(r"\[([^\]]*)\]", item)
        choices = [[part] if number % 2 == 0 else list(_numbers(part)) for number, part in enumerate(parts)]
        names += ["".join(chosen) for chosen in itertools.product(*choices)]
    return names


def _numbers(ranges):
    for piece in ranges.split(","):
        first, _, last = piece.partition("-")
        for number in range(int(first), int(last or first) + 1):
            yield f"{number:0{len(first)}}"


def seconds_of(text):
    """``30`` (minutes), ``90:00``, ``12:00:00``, ``1-0``, ``1-12:30`` in seconds; None for no limit."""
    if text.upper() in ("UNLIMITED", "INFINITE", "NONE", "-1"):
        return None
    days, dash, clock = text.rpartition("-")
    parts = [int(part) for part in clock.split(":")]
    if dash:
        hours, minutes, seconds = (*parts, 0, 0)[:3]
    elif len(parts) == 1:
        hours, minutes, seconds = 0, parts[0], 0
    else:
        hours, minutes, seconds = (0, *parts)[-3:]
    return int(days or 0) * 86400 + hours * 3600 + minutes * 60 + seconds


def bytes_of(text):
    """``250G``, as a file of launchers has it, in bytes."""
    unit = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}[text[-1]]
    return int(float(text[:-1]) * unit)


def _words(text):
    return frozenset(text.split(","))


# -- slurm.conf ----------------------------------------------------------------------------------------------------


def lines_of(file):
    """Each line as its keys, in lower case, and values: comments, continued lines and Include as slurm.conf(5) has them."""
    text = re.sub(r"\\\n", "", Path(file).read_text())
    for line in text.splitlines():
        bare = re.sub(r"(?<!\\)#.*", "", line).strip()
        if bare.lower().startswith("include "):
            yield from lines_of(Path(file).parent / bare.split()[1])
        elif bare:
            yield {key.lower(): value.strip('"') for key, value in re.findall(r'(\S+?)=("[^"]*"|\S+)', bare)}


def read(conf):
    """slurm.conf in three: the settings of the cluster, nodes and partitions by name; a DEFAULT line is in each."""
    settings, nodes, partitions, node_sets = {}, {}, {}, {}
    defaults = {"nodename": {}, "partitionname": {}}
    for pairs in lines_of(conf):
        if "nodeset" in pairs:
            node_sets[pairs["nodeset"]] = pairs
            continue
        kind = next((key for key in defaults if key in pairs), None)
        if kind is None:
            settings |= pairs
        elif pairs[kind].upper() == "DEFAULT":
            defaults[kind] |= pairs
        else:
            table = nodes if kind == "nodename" else partitions
            for name in hosts_of(pairs[kind]) if kind == "nodename" else pairs[kind].split(","):
                table[name] = {**defaults[kind], **table.get(name, {}), **pairs}
    for partition in partitions.values():
        partition["members"] = _members(partition.get("nodes", ""), nodes, node_sets)
    return settings, nodes, partitions


def _members(text, nodes, node_sets):
    if text.upper() == "ALL":
        return list(nodes)
    names = []
    for name in hosts_of(text):
        group = node_sets.get(name)
        if group is None:
            names.append(name)
        elif "nodes" in group:
            names += hosts_of(group["nodes"])
        else:
            names += [node for node in nodes if group["feature"] in nodes[node].get("feature", "").split(",")]
    return names


def gpus_by_node(conf):
    """The GPUs of gres.conf: by node, how many of each type ("" for none)."""
    found = {}
    file = Path(conf).with_name("gres.conf")
    for pairs in lines_of(file) if file.exists() else ():
        if pairs.get("name") != "gpu":
            continue
        count = int(pairs["count"]) if "count" in pairs else len(hosts_of(pairs["file"]))
        for node in hosts_of(pairs["nodename"]):
            types = found.setdefault(node, {})
            types[pairs.get("type", "")] = types.get(pairs.get("type", ""), 0) + count
    return found


# -- the facts of slurm.conf -----------------------------------------------------------------------------------------


def given_facts(conf, *, charged=None, groups=None):
    """Every fact that slurm.conf and gres.conf give, for one who may charge these accounts and is in these Unix groups."""
    settings, nodes, partitions = read(conf)
    gpus = gpus_by_node(conf)
    facts = {("cluster", "id"): settings["clustername"]}
    tiers = {name: int(partition.get("prioritytier", 1)) for name, partition in partitions.items()}
    for name, partition in partitions.items():
        own = _partition_facts(partition, settings, charged, groups)
        if len(set(tiers.values())) > 1:
            own["priority"] = tiers[name]
        facts |= {("partition", name, key): value for key, value in own.items() if value is not None}
        for host in partition["members"]:
            own = _node_facts(nodes[host], gpus.get(host))
            facts |= {("node", name, host, key): value for key, value in own.items() if value}
    facts |= {("weight", name): int(node.get("weight", 1)) for name, node in nodes.items()}
    return facts


def _node_facts(node, gpus):
    threads = int(node.get("threadspercore", 1))
    cores = int(node.get("coresPerSocket".lower(), 1)) * int(node.get("sockets", 1))
    cpus = int(node.get("cpus", cores * threads))
    kept_back = int(node.get("corespeccount", 0)) * threads
    memory = int(node.get("realmemory", 1))
    if gpus is None:
        gpus = {}
        for gres in filter(None, node.get("gres", "").split(",")):
            name, *more = gres.split(":")
            if name == "gpu":
                gpus[more[0] if len(more) == 2 else ""] = int(more[-1]) if more else 1
    return {
        "cores": cpus - kept_back,
        "memory": None if memory == 1 else (memory - int(node.get("memspeclimit", 0))) * MIB,
        "threads_per_core": threads if threads > 1 and cpus == cores * threads else None,
        "features": _words(node["feature"]) if node.get("feature") else None,
        "gpus": frozenset(gpus.items()),
        "is there": True,
    }


def _partition_facts(partition, settings, charged, groups):
    facts = {"hosts": frozenset(partition["members"])}
    state = partition.get("state", "UP").upper()
    facts["state"] = None if state == "UP" else state
    facts["default"] = _yes(partition, "default")
    facts["hidden"] = _yes(partition, "hidden")
    outside = groups is not None and "allowgroups" in partition and not _words(partition["allowgroups"]) & groups
    facts["disabled"] = _yes(partition, "rootonly") or _yes(partition, "reqresv") or outside or None
    facts["exclusive"] = partition.get("oversubscribe", "").upper() == "EXCLUSIVE" or None
    facts["partition_qos"] = partition.get("qos")
    for key, name in WORDS.items():
        text = partition.get(key.lower(), "ALL" if key.startswith("Allow") else "")
        facts[name] = None if text.upper() in ("ALL", "") else _words(text)
    if charged is not None and facts["accounts"] is not None:
        facts["accounts"] &= charged
    for key, name in {**LIMITS, **DEFAULTS}.items():
        facts[name] = _amount(key, partition.get(key.lower()))
    _add_memory_of_the_cluster(facts, settings)
    if facts["min_nodes"] in (0, 1):
        facts["min_nodes"] = None
    return facts


def _add_memory_of_the_cluster(facts, settings):
    """What the cluster sets holds for a partition that sets nothing of its kind (slurm.conf(5), DefMemPerCPU)."""
    for keys in (("DefMemPerCPU", "DefMemPerNode"), ("MaxMemPerCPU", "MaxMemPerNode")):
        names = [{**LIMITS, **DEFAULTS}[key] for key in keys]
        if all(facts[name] is None for name in names):
            facts |= {
                name: _amount(key, settings.get(key.lower())) for key, name in zip(keys, names, strict=True)
            }  # fmt: skip


def _amount(key, text):
    if text is None:
        return None
    if "Time" in key:
        return seconds_of(text)
    if text.upper() == "UNLIMITED":
        return None
    return int(text) * MIB if "Mem" in key else int(text)


def _yes(pairs, key):
    return pairs.get(key, "NO").upper() == "YES" or None


# -- the facts of a converted file -----------------------------------------------------------------------------------


def converted_facts(file):
    """Every fact that a file of `launchers convert` has of what slurm.conf can give, read as plain YAML."""
    (entry,) = yaml.safe_load(Path(file).read_text())["slurm"]
    facts = {("cluster", "id"): entry["id"]}
    for name, partition in entry["partitions"].items():
        own = {
            key: partition.get(key) for key in ("state", "default", "hidden", "disabled", "exclusive", "partition_qos")
        }
        own |= {key: frozenset(map(str, partition[key])) for key in WORDS.values() if key in partition}
        own |= {key: _read(key, partition[key]) for key in DEFAULTS.values() if key in partition}
        own |= {key: _read(key, value) for key, value in partition.get("limits", {}).items()}
        own["priority"] = partition.get("priority")
        own["hosts"] = frozenset(host for block in partition["nodes"] for host in hosts_of(block["hosts"]))
        facts |= {("partition", name, key): value for key, value in own.items() if value is not None}
        for block in partition["nodes"]:
            assert block["count"] == len(hosts_of(block["hosts"])), block
            for host in hosts_of(block["hosts"]):
                facts |= {("node", name, host, key): value for key, value in _block_facts(block).items() if value}
    return facts


def _block_facts(block):
    cpu = dict(block.get("cpu", {}))
    if "memory" in cpu:
        cpu["memory"] = bytes_of(cpu["memory"])
    gpus = [(one.get("type", ""), one["count"]) for one in block.get("accelerators", ())]
    features = frozenset(map(str, block.get("features", ())))
    return {**cpu, "features": features, "gpus": frozenset(gpus), "is there": block.get("available") is None}


def _read(key, value):
    if not isinstance(value, str):
        return value
    return bytes_of(value) if "mem" in key else seconds_of(value)


def misses(given, converted):
    """A line for each fact that is missing, wrong or invented."""
    keys = sorted(given.keys() | converted.keys(), key=str)
    return [
        f"{' '.join(key)}: slurm.conf gives {given.get(key)}, the converted file {converted.get(key)}"
        for key in keys
        if given.get(key) != converted.get(key)
    ]
