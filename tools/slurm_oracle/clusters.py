"""Random clusters: descriptions for the test bed, with what their GPUs truly are under "devices"."""

from __future__ import annotations

import random
from typing import Any

USER = "games"
"""Who asks: an ordinary user, since root passes by some of Slurm's checks."""

GPUS = [  # (GRES type or None, feature or None, model, GiB): what convert should be able to tell
    ("rtx3090", None, "RTX3090", 24),
    ("a40", None, "A40", 48),
    ("t4", None, "T4", 16),
    ("l40s", None, "L40S", 48),
    ("h100", "GPUM80G", "H100", 80),
    ("a100", "GPUM40G", "A100", 40),
    ("a100", "GPUM80G", "A100", 80),
    ("a100", None, "A100", None),
    ("v100", "gpu32g", "V100", 32),
    (None, "GPUM24G", None, 24),
    (None, "GPUM48G", None, 48),
    (None, None, None, None),
]
PLAIN_FEATURES = ["intel", "amd", "ib", "ssd", "icelake", "milan"]
MEMORIES = [4000, 16000, 64000, 128000, 250000, 512000]
WALLS = ["00:10:00", "00:30:00", "01:00:00", "04:00:00", "1-00:00:00", "7-00:00:00"]

Description = dict[str, Any]


def cluster(rng: random.Random) -> Description:
    """One cluster: nodes of 2 to 6 shapes, partitions over them, QoS and accounts, and every limit now and then."""
    nodes, devices = _nodes(rng)
    names = [str(node["NodeName"]) for node in nodes]
    qos = {f"q{index}": _qos(rng, nodes) for index in range(rng.randint(1, 3))}
    qos["normal"] = {}
    accounts = _accounts(rng, list(qos), nodes)
    partitions = [
        _partition(rng, f"p{index}", names, list(qos), list(accounts), nodes) for index in range(rng.randint(2, 5))
    ]
    config: dict[str, object] = {
        "SelectTypeParameters": rng.choice(["CR_Core_Memory"] * 4 + ["CR_CPU_Memory", "CR_Socket_Memory", "CR_Core"])
    }
    if rng.random() < 0.3:
        config["DefMemPerCPU"] = rng.choice([500, 2000, 8000])
    elif rng.random() < 0.2:
        config["DefMemPerNode"] = rng.choice([1000, 8000])
    if rng.random() < 0.15:
        config["MaxMemPerNode"] = rng.choice([8000, 100000])
    elif rng.random() < 0.15:
        config["MaxMemPerCPU"] = rng.choice([2000, 8000])
    if rng.random() < 0.15:
        config["AccountingStorageEnforce"] = rng.choice(["associations", "associations,limits"])
    drained = [name for name in names if rng.random() < 0.1]
    return {
        "config": config, "nodes": nodes, "partitions": partitions, "qos": qos, "accounts": accounts,
        "default_account": next(iter(accounts)), "devices": devices, "drained": drained,
    }  # fmt: skip


def _nodes(rng: random.Random) -> tuple[list[Description], dict[str, list[Description]]]:
    nodes, devices = [], {}
    for shape in range(rng.randint(2, 6)):
        threads = rng.choice([1, 1, 2])
        pairs: Description = {
            "Sockets": rng.choice([1, 2]), "CoresPerSocket": rng.choice([2, 4, 8, 16]), "ThreadsPerCore": threads,
            "RealMemory": rng.choice(MEMORIES), "Weight": rng.choice([1, 1, 10]),
        }  # fmt: skip
        if rng.random() < 0.1:
            pairs["MemSpecLimit"] = 1000
        features = rng.sample(PLAIN_FEATURES, rng.randint(0, 3))
        have = []
        if rng.random() < 0.65:
            picked = [rng.choice(GPUS)]
            if picked[0][0] and picked[0][1] is None and rng.random() < 0.3:
                picked.append(rng.choice([one for one in GPUS if one[0] not in (None, picked[0][0]) and not one[1]]))
            for kind, feature, model, gib in picked:
                have.append({"type": kind, "model": model, "gib": gib, "count": rng.randint(1, 4)})
                features += [feature] if feature else []
            pairs["Gres"] = ",".join(":".join(["gpu", *filter(None, [d["type"]]), str(d["count"])]) for d in have)
        if features:
            pairs["Feature"] = ",".join(features)
        for number in range(rng.randint(1, 3)):
            name = f"{'g' if have else 'c'}{shape}-{number}"
            nodes.append({"NodeName": name, **pairs})
            devices[name] = have
    return nodes, devices


def cpus_of(node: Description) -> int:
    """Hardware threads of a node."""
    return int(node["Sockets"]) * int(node["CoresPerSocket"]) * int(node["ThreadsPerCore"])


def _tres(rng: random.Random, nodes: list[Description]) -> str:
    cpus = sorted({cpus_of(node) for node in nodes})
    return rng.choice(
        [
            f"cpu={rng.choice(cpus)}", f"cpu={max(1, rng.choice(cpus) // 2)}", f"gres/gpu={rng.randint(1, 4)}",
            f"mem={rng.choice(MEMORIES)}M", f"node={rng.randint(1, 2)}",
            f"cpu={rng.choice(cpus)},gres/gpu={rng.randint(1, 3)}",
        ]
    )  # fmt: skip


def _qos(rng: random.Random, nodes: list[Description]) -> Description:
    limits: Description = {"Priority": rng.choice([0, 0, 10, 100])}
    if rng.random() < 0.4:
        limits["MaxWall"] = rng.choice(WALLS)
    for name, chance in (("MaxTRESPerJob", 0.35), ("MaxTRESPerNode", 0.1), ("MaxTRESPerUser", 0.15), ("GrpTRES", 0.15)):
        if rng.random() < chance:
            limits[name] = _tres(rng, nodes)
    if rng.random() < 0.25:
        limits["MinTRESPerJob"] = rng.choice(["cpu=2", "cpu=4", "gres/gpu=1", "gres/gpu=2"])
    if rng.random() < 0.1:
        limits["MaxTRESMinsPerJob"] = rng.choice(["cpu=60", "cpu=1000", "gres/gpu=120"])
    if rng.random() < 0.1:
        limits["GrpTRESRunMins"] = rng.choice(["cpu=600", "cpu=10000"])
    flags = [
        name
        for name in ("DenyOnLimit", "OverPartQOS", "PartitionTimeLimit", "PartitionMaxNodes", "PartitionMinNodes")
        if rng.random() < 0.08
    ]
    if flags:
        limits["Flags"] = ",".join(flags)
    return limits


def _accounts(rng: random.Random, qos: list[str], nodes: list[Description]) -> Description:
    accounts: Description = {}
    for index in range(rng.randint(1, 3)):
        mine = sorted(rng.sample(qos, rng.randint(1, len(qos))))
        user: Description = {"QOS": ",".join(mine), "DefaultQOS": rng.choice(mine)}
        if rng.random() < 0.15:
            user["MaxWall"] = rng.choice(WALLS)
        if rng.random() < 0.15:
            user["MaxTRESPerJob"] = _tres(rng, nodes)
        account: Description = {"users": {USER: user}}
        if rng.random() < 0.2:
            account["limits"] = rng.choice(
                [{"GrpTRES": _tres(rng, nodes)}, {"MaxWall": rng.choice(WALLS)}, {"MaxTRESPerJob": _tres(rng, nodes)}]
            )
        if index and rng.random() < 0.3:
            account["parent"] = "a0"
        accounts[f"a{index}"] = account
    return accounts


COUNTS_OF_QOS = (
    *("MaxJobsPerUser", "MaxJobsPerAccount", "GrpJobs"),
    *("MaxSubmitJobsPerUser", "MaxSubmitJobsPerAccount", "GrpSubmitJobs"),
)
COUNTS_OF_ACCOUNTS = ("MaxJobs", "MaxSubmitJobs", "GrpJobs", "GrpSubmitJobs")


def limit_jobs(rng: random.Random, description: Description) -> None:
    """Give QoS, accounts and users limits on their numbers of jobs and on the time of all: none, or more than enough.

    One cluster in three has such that let no job in: of a cluster where everything is closed nothing is learned.
    """
    closes = rng.random() < 1 / 3
    bearers = [(description["qos"][name], COUNTS_OF_QOS) for name in sorted(description["qos"])]
    for name in sorted(description["accounts"]):
        account = description["accounts"][name]
        bearers += [
            (account.setdefault("limits", {}), COUNTS_OF_ACCOUNTS),
            (account["users"][USER], COUNTS_OF_ACCOUNTS),
        ]
    for limits, names in bearers:
        for name in names:
            if rng.random() < 0.06:
                limits[name] = rng.choice([0, 500]) if closes else 500
        if rng.random() < 0.06:
            limits["GrpWall"] = rng.choice(["00:00:00", "01:00:00", "100-0"] if closes else ["01:00:00", "100-0"])


def _partition(
    rng: random.Random, name: str, nodes: list[str], qos: list[str], accounts: list[str], described: list[Description]
) -> Description:
    pairs: Description = {
        "PartitionName": name,
        "Nodes": ",".join(sorted(rng.sample(nodes, rng.randint(1, len(nodes))))),
    }
    if name == "p0":
        pairs["Default"] = "YES"
    cpus = sorted({cpus_of(node) for node in described})
    choices: list[tuple[float, str, Any]] = [
        (0.7, "MaxTime", lambda: rng.choice(["10", "30", "60", "240", "1-0", "UNLIMITED"])),
        (0.3, "DefaultTime", lambda: rng.choice(["5", "30"])),
        (0.1, "MinNodes", lambda: 2),
        (0.15, "MaxNodes", lambda: rng.randint(1, 2)),
        (0.15, "MaxCPUsPerNode", lambda: max(1, rng.choice(cpus) // 2)),
        (0.1, "State", lambda: rng.choice(["DOWN", "DRAIN", "INACTIVE"])),
        (0.1, "Hidden", lambda: "YES"),
        (0.15, "OverSubscribe", lambda: rng.choice(["EXCLUSIVE", "FORCE:2", "YES"])),
        (0.05, "ExclusiveUser", lambda: "YES"),
        (0.04, "RootOnly", lambda: "YES"),
        (0.06, "AllowGroups", lambda: rng.choice(["games", "daemon", "games,daemon"])),
        (0.15, "QoS", lambda: rng.choice(qos)),
        (0.1, "PriorityTier", lambda: rng.randint(1, 3)),
        (0.1, "LLN", lambda: "YES"),
    ]
    for chance, key, value in choices:
        if rng.random() < chance:
            pairs[key] = value()
    if "MaxTime" in pairs and "DefaultTime" in pairs and pairs["MaxTime"] == "10":
        pairs["DefaultTime"] = "5"
    _one_of(rng, pairs, 0.3, [("AllowQos", qos), ("DenyQos", qos)])
    _one_of(rng, pairs, 0.2, [("AllowAccounts", accounts), ("DenyAccounts", accounts)])
    if rng.random() < 0.3:
        pairs[rng.choice(["DefMemPerCPU", "DefMemPerNode", "DefMemPerGPU"])] = rng.choice([500, 2000, 16000])
    if rng.random() < 0.2:
        pairs["MaxMemPerNode"] = rng.choice([3000, 20000, 100000])
    elif rng.random() < 0.2:
        pairs["MaxMemPerCPU"] = rng.choice([1000, 4000, 16000])
    if rng.random() < 0.2:
        pairs["DefCpuPerGPU"] = rng.choice([1, 2, 4])
    return pairs


def _one_of(rng: random.Random, pairs: Description, chance: float, options: list[tuple[str, list[str]]]) -> None:
    if rng.random() < chance:
        key, names = rng.choice(options)
        pairs[key] = ",".join(sorted(rng.sample(names, rng.randint(1, len(names)))))


# -- needs -----------------------------------------------------------------------------------------------------


def need(rng: random.Random, description: Description) -> str:
    """A requirement whose numbers lie about those of the cluster, so that limits are met from both sides."""
    alternatives = [_alternative(rng, description) for _ in range(2 if rng.random() < 0.1 else 1)]
    return " | ".join(alternatives)


def _alternative(rng: random.Random, description: Description) -> str:
    terms = []
    if rng.random() < 0.7:
        minutes = rng.choice([5, 10, 11, 30, 31, 60, 61, 240, 241, 1440, 1441, 4 * 1440])
        terms.append(f"duration={minutes}min")
    node = rng.choice(description["nodes"])
    cpu = []
    if rng.random() < 0.6:
        mem = rng.choice(
            [1, 500, 1000, 3000, 3001, node["RealMemory"], node["RealMemory"] // 2, node["RealMemory"] + 1]
        )
        cpu.append(f"mem={mem}M")
    if rng.random() < 0.6:
        total = cpus_of(node)
        cpu.append(f"cores={max(1, rng.choice([1, 2, 3, 4, total // 2, total - 1, total, total + 1]))}")
    if cpu:
        terms.append(f"cpu({', '.join(cpu)})")
    have = [one for devices in description["devices"].values() for one in devices]
    if rng.random() < 0.6:
        terms.append(_gpus(rng, have))
        if rng.random() < 0.12:
            terms.append(_gpus(rng, have))
    if rng.random() < 0.2:
        terms.append(f"nodes={rng.randint(1, 3)}")
    return " & ".join(terms) or "cpu(cores=1)"


def _gpus(rng: random.Random, have: list[Description]) -> str:
    one = rng.choice(have) if have and rng.random() < 0.9 else {"model": "H200", "gib": 141}
    said = []
    if one["gib"] and rng.random() < 0.7:
        said.append(f"mem={max(1, one['gib'] - rng.choice([0, 0, 1, 8, -1]))}G")
    if one["model"] and rng.random() < 0.25:
        said.append(f"model={one['model']}")
    return f"{rng.choice(['cuda', 'cuda', 'gpu'])}({', '.join(said)})*{rng.choice([1, 1, 1, 2, 2, 3, 4, 5])}"
