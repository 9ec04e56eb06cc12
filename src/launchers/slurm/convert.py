"""Facts of a cluster to an entry of launchers.yaml, with notes on where each inferred fact came from."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import Any

from attrs import evolve, frozen

from launchers.config import schema
from launchers.config.emit import Converted, Notes
from launchers.quantities.hosts import expand, fold
from launchers.slurm.accelerators import SHARED, Accelerators, accelerators_of
from launchers.slurm.facts import Association, Bounds, Facts, Node, Partition, Tres


@frozen
class Person:
    """For whom the cluster is described: name, default account, Unix groups; None where that is not known."""

    user: str | None = None
    default_account: str | None = None
    groups: frozenset[str] | None = None


def convert(
    facts: Facts, person: Person | None = None, *, only: Collection[str] = (), hosts: bool = True, id: str | None = None
) -> Converted[schema.SlurmGroup]:
    """Everything that facts say, as a launchers.yaml entry.

    `only` keeps these partitions; `hosts=False` leaves host names out, numbers stay.
    """
    person = person or Person()
    notes: Notes = {}
    enforced = _enforced(facts)
    accounts = _accounts(facts, person, enforced) if "associations" in enforced else {}
    qos = {one.name: _qos(one, enforced) for one in facts.qos} if "associations" in enforced else {}
    usable = {name for account in accounts.values() for name in account.qos or ()}
    usable |= {one.qos for one in facts.partitions if one.qos}
    if accounts:
        qos = {name: spec for name, spec in qos.items() if name in usable}
    inside = _members(facts)
    wanted = [one for one in facts.partitions if not only or one.name in only]
    tiers = {one.priority_tier for one in facts.partitions}
    partitions = {}
    for one in sorted(wanted, key=lambda partition: partition.name):
        path = ("partitions", one.name)
        spec = _partition(one, facts, person, accounts, notes, path)
        nodes = _blocks(inside.get(one.name, []), facts, one, notes, (*path, "nodes"), hosts)
        priority = float(one.priority_tier) if len(tiers) > 1 else None
        partitions[one.name] = evolve(spec, nodes=nodes, priority=priority)
    defaults = [name for name, one in accounts.items() if one.default]
    group = schema.SlurmGroup(
        id=id or facts.config.get("ClusterName") or "slurm",
        tags=("slurm",),
        gres=_spelling(facts),
        defaults=schema.DefaultsSpec(account=defaults[0]) if defaults else None,
        qos=dict(sorted(qos.items())) or None,
        accounts=dict(sorted(accounts.items())) or None,
        partitions=partitions or None,
    )
    return Converted(group, notes)


def _enforced(facts: Facts) -> set[str]:
    """What AccountingStorageEnforce has Slurm hold jobs to (man slurm.conf); all of it where that is not known."""
    stated = facts.config.get("AccountingStorageEnforce")
    if stated is None:
        return {"associations", "limits", "qos"} | _of_memory(facts)
    words = set(stated.lower().split(",")) | _of_memory(facts)
    if words & {"all", "limits", "qos", "safe"}:
        words |= {"associations"}
    if words & {"all", "safe"}:
        words |= {"limits"}
    return words | ({"qos"} if "all" in words or "qos" in words else set())


def _of_memory(facts: Facts) -> set[str]:
    """Whether maximums of memory count: a job that was given none has used none.

    Where memory is not allocated (no CR_*_Memory) only DenyOnLimit, which looks at what is asked, holds jobs to them;
    minimums always count (seen on 22.05).
    """
    allocated = "MEMORY" in facts.config.get("SelectTypeParameters", "CR_CORE_MEMORY").upper()
    return {"memory"} if allocated or any("DenyOnLimit" in one.flags for one in facts.qos) else set()


def _spelling(facts: Facts) -> Any:
    """How this cluster takes GPUs: --gpus-per-node needs cons_tres, --gres always works (man sbatch)."""
    if "cons_tres" in facts.config.get("SelectType", ""):
        return "gpus_per_node"
    return "gres_typed"


# -- limits ----------------------------------------------------------------------------------------------------


def _tres(values: Tres) -> Any:
    return dict(values) or None


def _limits(bounds: Bounds, enforced: set[str]) -> schema.LimitsSpec | None:
    if "limits" not in enforced:
        return None

    def most(values: Tres) -> Any:
        return _tres(tuple(one for one in values if one[0] != "mem" or "memory" in enforced))

    limits = schema.LimitsSpec(
        max_duration=bounds.max_wall,
        max_tres=most(bounds.max_tres),
        max_tres_per_node=most(bounds.max_tres_per_node),
        max_tres_per_user=most(bounds.max_tres_per_user),
        max_tres_per_account=most(bounds.max_tres_per_account),
        grp_tres=most(bounds.grp_tres),
        min_tres=_tres(bounds.min_tres),
        max_tres_mins=most(bounds.max_tres_mins),
        grp_tres_mins=most(bounds.grp_tres_mins),
        grp_tres_run_mins=most(bounds.grp_tres_run_mins),
        max_tres_run_mins_per_user=most(bounds.max_tres_run_mins_per_user),
        max_tres_run_mins_per_account=most(bounds.max_tres_run_mins_per_account),
        max_jobs=0 if bounds.max_jobs == 0 else None,
        max_submit=0 if bounds.max_submit == 0 else None,
    )
    return None if limits == schema.LimitsSpec() else limits


def _qos(one: Any, enforced: set[str]) -> schema.QosSpec:
    return schema.QosSpec(
        priority=float(one.priority) if one.priority else None,
        limits=_limits(one.bounds, enforced),
        flags=one.flags or None,
    )


def _accounts(facts: Facts, person: Person, enforced: set[str]) -> dict[str, schema.AccountSpec]:
    """The accounts that the person may charge, each with its own limits and those of the accounts above it."""
    mine = [one for one in _here(facts) if one.user and (person.user is None or one.user == person.user)]
    if person.user is None and len({one.user for one in mine}) > 1:
        mine = []  # several users' associations: whose the file is to be is not known
    above = _above(facts)
    accounts = {}
    for one in mine:
        partitions = tuple(other.partition for other in mine if other.account == one.account)
        default = (
            one.default or one.account == person.default_account if person.default_account or one.default else None
        )
        accounts[one.account] = schema.AccountSpec(
            qos=one.qos or None,
            default_qos=one.default_qos or None,
            default=default or None,
            partition=None if "" in partitions else partitions,
            limits=_limits(_inherited(one, above), enforced),
        )
    return accounts


def _here(facts: Facts) -> list[Association]:
    """The associations of this cluster."""
    cluster = facts.config.get("ClusterName")
    return [one for one in facts.associations if not cluster or one.cluster in ("", cluster)]


def _above(facts: Facts) -> dict[str, Association]:
    """The accounts themselves, by name: what they set holds for the accounts and users below."""
    return {one.account: one for one in _here(facts) if not one.user}


def _lineage(account: str, above: Mapping[str, Association]) -> list[str]:
    """An account, the one above it, and so on to root."""
    found: list[str] = []
    while account and account not in found:
        found.append(account)
        account = above[account].parent if account in above else ""
    return found


def _inherited(one: Association, above: Mapping[str, Association]) -> Bounds:
    """Max limits come from the nearest that sets them, Grp limits from all: they hold at each level (man sacctmgr)."""
    merged = one.bounds
    for name in _lineage(one.account, above):
        if name not in above:
            break
        theirs = above[name].bounds
        merged = Bounds(
            max_wall=merged.max_wall if merged.max_wall is not None else theirs.max_wall,
            max_tres=_first(merged.max_tres, theirs.max_tres),
            max_tres_per_node=_first(merged.max_tres_per_node, theirs.max_tres_per_node),
            max_tres_mins=_first(merged.max_tres_mins, theirs.max_tres_mins),
            grp_tres=_lowest(merged.grp_tres, theirs.grp_tres),
            grp_tres_mins=_lowest(merged.grp_tres_mins, theirs.grp_tres_mins),
            grp_tres_run_mins=_lowest(merged.grp_tres_run_mins, theirs.grp_tres_run_mins),
            min_tres=merged.min_tres,
            max_jobs=_least(merged.max_jobs, theirs.max_jobs),
            max_submit=_least(merged.max_submit, theirs.max_submit),
        )
    return merged


def _first(mine: Tres, theirs: Tres) -> Tres:
    return tuple({**dict(theirs), **dict(mine)}.items())


def _lowest(mine: Tres, theirs: Tres) -> Tres:
    low = dict(mine)
    for name, value in theirs:
        low[name] = min(value, low.get(name, value))
    return tuple(low.items())


def _least(*values: int | None) -> int | None:
    return min((value for value in values if value is not None), default=None)


# -- partitions ------------------------------------------------------------------------------------------------


def _partition(
    one: Partition,
    facts: Facts,
    person: Person,
    accounts: Mapping[str, schema.AccountSpec],
    notes: Notes,
    path: tuple[Any, ...],
) -> schema.PartitionSpec:
    shut = _shut(one, person)
    if shut:
        notes[(*path, "disabled")] = shut
    elif one.allow_groups is not None and person.groups is None:
        notes[path] = f"AllowGroups={','.join(one.allow_groups)}: whether you are in one is not known"
    config = _Config(facts.config)
    allowed, denied = one.allow_accounts, one.deny_accounts
    if accounts and not config.before(23):
        above = _above(facts)
        allowed = allowed and _with_those_below(allowed, accounts, above)
        denied = _with_those_below(denied, accounts, above)
    if allowed is not None and accounts:
        allowed = tuple(name for name in allowed if name in accounts)
    per_cpu, per_node = one.max_mem_per_cpu, one.max_mem_per_node
    if per_cpu is None and per_node is None:
        per_cpu, per_node = config.memory("MaxMemPerCPU"), config.memory("MaxMemPerNode")
    if per_cpu and one.max_cpus_per_node and not config.before(23):
        per_node = per_cpu * one.max_cpus_per_node  # 24.11 refuses the CPUs that more memory costs, 22.05 gives them
    def_cpu, def_node = one.def_mem_per_cpu, one.def_mem_per_node
    if def_cpu is None and def_node is None and one.def_mem_per_gpu is None:
        def_cpu, def_node = config.memory("DefMemPerCPU"), config.memory("DefMemPerNode")
    limits = schema.LimitsSpec(
        max_duration=one.max_time,
        min_nodes=one.min_nodes if one.min_nodes > 1 else None,
        max_nodes=one.max_nodes,
        max_cpus_per_node=one.max_cpus_per_node,
        max_mem_per_node=per_node,
        max_mem_per_cpu=per_cpu,
    )
    return schema.PartitionSpec(
        disabled=True if shut else None,
        state=None if one.state == "UP" else one.state,  # type: ignore[arg-type]
        hidden=one.hidden or None,
        default=one.default or None,
        qos=one.allow_qos,
        accounts=allowed,
        deny_qos=one.deny_qos or None,
        deny_accounts=denied or None,
        partition_qos=one.qos,
        limits=None if limits == schema.LimitsSpec() else limits,
        exclusive=True if one.oversubscribe.startswith("EXCLUSIVE") else None,
        default_time=one.default_time,
        def_mem_per_cpu=def_cpu,
        def_mem_per_node=def_node,
        def_mem_per_gpu=one.def_mem_per_gpu,
        def_cpu_per_gpu=one.def_cpu_per_gpu,
    )


def _with_those_below(
    named: tuple[str, ...], accounts: Iterable[str], above: Mapping[str, Association]
) -> tuple[str, ...]:
    """The accounts that a partition names, and those of `accounts` below them: they count from 23.02 on."""
    below = [name for name in accounts if not set(_lineage(name, above)).isdisjoint(named)]
    return tuple(dict.fromkeys([*named, *below]))


def _shut(one: Partition, person: Person) -> str:
    """Why this person cannot use a partition whatever the job."""
    if one.root_only:
        return "RootOnly=YES"
    if one.req_resv:
        return "ReqResv=YES: jobs need a reservation"
    if one.allow_groups is not None and person.groups is not None and not person.groups & set(one.allow_groups):
        return f"AllowGroups={','.join(one.allow_groups)}: you are in none of them"
    return ""


@frozen
class _Config:
    """slurm.conf as `scontrol show config` prints it."""

    pairs: Mapping[str, str]

    def before(self, year: int) -> bool:
        """Whether this is a Slurm of before that year; no where that is not known."""
        ours = self.pairs.get("SLURM_VERSION", "").partition(".")[0]
        return ours.isdigit() and int(ours) < year

    def memory(self, key: str) -> int | None:
        """A memory setting of the whole cluster, in bytes."""
        text = self.pairs.get(key, "")
        return int(text) * 1024**2 if text.isdigit() and int(text) else None


# -- nodes -----------------------------------------------------------------------------------------------------


def _members(facts: Facts) -> dict[str, list[Node]]:
    """The nodes of each partition: as the nodes say, or, where they say nothing, as the partitions say."""
    inside: dict[str, list[Node]] = {}
    for node in facts.nodes:
        for name in node.partitions:
            inside.setdefault(name, []).append(node)
    silent = {node.name: node for node in facts.nodes if not node.partitions}
    for partition in facts.partitions if silent else ():
        try:
            names = expand(partition.nodes)
        except ValueError:
            continue
        for name in names:
            if name in silent:
                inside.setdefault(partition.name, []).append(silent[name])
    return inside


def outside(facts: Facts) -> tuple[Node, ...]:
    """The nodes that are in no partition, so that no job can get there and no entry has them."""
    inside = {node.name for nodes in _members(facts).values() for node in nodes}
    return tuple(node for node in facts.nodes if node.name not in inside)


def _allocated(facts: Facts, partition: Partition) -> str:
    """What a partition allocates: its own SelectTypeParameters, or the cluster's."""
    said = (partition.pairs.get("SelectTypeParameters") or "NONE").upper()
    return said if said != "NONE" else facts.config.get("SelectTypeParameters", "CR_CORE").upper()


def _units(node: Node, said: str) -> tuple[int, int]:
    """The CPUs of a core, and of a socket where those are allocated (man slurm.conf, SelectTypeParameters)."""
    if "CR_CPU" in said:
        return 1, 1
    sockets, cores = (int(text) if text.isdigit() else 0 for text in (node.pairs.get(k, "") for k in _LAYOUT))
    total = node.pairs.get("CPUTot", "")
    threads = node.threads_per_core
    if sockets and cores and total.isdigit():
        threads = max(1, int(total) // (sockets * cores))
    return threads, threads * cores if "CR_SOCKET" in said and cores else 1


def _cpus(node: Node, partition: Partition) -> int | None:
    """The CPUs that a job may ask: MaxCPUsPerSocket (23.02 on) is that of each socket, in whole cores."""
    most, sockets, threads = partition.max_cpus_per_socket, node.pairs.get("Sockets", ""), node.threads_per_core
    if node.cpus is None or most is None or not sockets.isdigit():
        return node.cpus
    return min(node.cpus, int(sockets) * (most // threads * threads))


def _memory(node: Node, facts: Facts) -> int | None:
    """The memory that a job may ask: MemSpecLimit is kept back only where memory is allocated at all (CR_*_MEMORY)."""
    special = node.pairs.get("MemSpecLimit", "")
    if node.memory is None or not special.isdigit():
        return node.memory
    if "MEMORY" in facts.config.get("SelectTypeParameters", "CR_CORE_MEMORY").upper():
        return node.memory
    return node.memory + int(special) * 1024**2


_LAYOUT = ("Sockets", "CoresPerSocket")


@lru_cache(maxsize=1024)
def _folded(names: tuple[str, ...]) -> str:
    """A folded host list, remembered: the same nodes are in several partitions, and folding is half of converting."""
    return fold(names)


def _blocks(
    nodes: Iterable[Node], facts: Facts, partition: Partition, notes: Notes, path: tuple[Any, ...], hosts: bool
) -> tuple[schema.NodesSpec, ...]:
    """Equal nodes as one block each, in the order of their names."""
    alike: dict[tuple[Any, ...], list[Node]] = {}
    allocated = _allocated(facts, partition)
    for node in nodes:
        key = (
            _cpus(node, partition),
            _memory(node, facts),
            node.gres,
            node.features,
            _units(node, allocated),
            _cfg_gpus(node),
        )
        alike.setdefault(key, []).append(node)
    reserved = _reserved(facts)
    blocks = [(_folded(tuple(node.name for node in group)), group) for group in alike.values()]
    found = []
    for index, (folded, group) in enumerate(sorted(blocks, key=lambda block: (group_name(block[0]), block[0]))):
        node = group[0]
        have = accelerators_of(node)
        down = sum(not one.state.usable or one.name in reserved for one in group)
        where = (*path, index)
        if down:
            states = sorted({_why_down(one, reserved) for one in group} - {""})
            notes[(*where, "available")] = ", ".join(states)
        _note_devices(node, have, notes, where)
        threads, socket = _units(node, allocated)
        cpu = schema.CpuSpec(
            cores=_cpus(node, partition),
            memory=_memory(node, facts),
            threads_per_core=threads if threads > 1 else None,
            cpus_per_socket=socket if socket > 1 else None,
        )
        if cpu.cores != node.cpus:
            notes[(*where, "cpu")] = f"{node.cpus} cores, and MaxCPUsPerSocket={partition.max_cpus_per_socket}"
        if node.memory is None:
            notes[(*where, "cpu")] = "memory not known: RealMemory is not configured"
        found.append(
            schema.NodesSpec(
                hosts=folded if hosts else None,
                count=len(group),
                available=len(group) - down if down else None,
                cpu=None if cpu == schema.CpuSpec() else cpu,
                features=node.features or None,
                accelerators_of=tuple(_spec(one) for one in have) or None,
            )
        )
    return tuple(found)


def group_name(hosts: str) -> str:
    """What host lists are sorted by: the name before its first number, so that the order does not depend on folding."""
    return hosts.partition("[")[0]


def _cfg_gpus(node: Node) -> str:
    return "" if node.gres else node.pairs.get("CfgTRES", "")


def _reserved(facts: Facts) -> set[str]:
    """Nodes held by a reservation that is active and keeps everybody out (maintenance)."""
    held: set[str] = set()
    for one in facts.reservations:
        if one.state == "ACTIVE" and "MAINT" in one.flags:
            try:
                held.update(expand(one.nodes))
            except ValueError:
                continue
    return held


def _why_down(node: Node, reserved: set[str]) -> str:
    if node.name in reserved:
        return "reserved"
    return "" if node.state.usable else "+".join([node.state.base, *sorted(node.state.flags)])


def _spec(one: Accelerators) -> schema.AcceleratorSpec:
    return schema.AcceleratorSpec(
        kind=one.kind,  # type: ignore[arg-type]
        model=one.model,
        memory=one.memory,
        count=one.count,
        type=one.type,
    )


def _note_devices(node: Node, have: tuple[Accelerators, ...], notes: Notes, path: tuple[Any, ...]) -> None:
    for number, one in enumerate(have):
        where = (*path, "accelerators", number)
        notes[where] = one.evidence
        if one.kind is None:
            notes[where] = f"kind not known; {one.evidence}"
    shared = sorted({one.name for one in node.gres if one.name.lower() in SHARED})
    if shared:
        notes[(*path, "features" if node.features else "count")] = f"also {', '.join(shared)}, which share GPUs"
