"""Facts without names, for a bug report: hosts, partitions, accounts, QoS and users get numbers, the rest stays."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from attrs import evolve, field, frozen

from launchers.quantities.hosts import expand_hosts, fold_hosts
from launchers.slurm.accelerators import accelerators_of
from launchers.slurm.facts import Association, Reservation, SlurmFacts, SlurmNode, SlurmPartition

Rename = Callable[[str], str]


def _numbered(word: str, width: int = 1) -> Rename:
    """A function that gives each new name the next number: partition1, partition2."""
    known: dict[str, str] = {}
    return lambda name: known.setdefault(name, f"{word}{len(known) + 1:0{width}}")


@frozen
class _Names:
    """The new names, given in the order in which the old ones are met; equal names stay equal."""

    host: Rename = field(factory=partial(_numbered, "node", 4))
    partition: Rename = field(factory=partial(_numbered, "partition"))
    account: Rename = field(factory=partial(_numbered, "account"))
    qos: Rename = field(factory=partial(_numbered, "qos"))
    user: Rename = field(factory=partial(_numbered, "user"))
    feature: Rename = field(factory=partial(_numbered, "feature"))


def anonymize(facts: SlurmFacts) -> SlurmFacts:
    """The same cluster under other names. Numbers, limits and the features that tell of GPUs stay."""
    names = _Names()
    config = {key: "cluster" if key == "ClusterName" else value for key, value in facts.config.items()}
    return SlurmFacts(
        nodes=[_node(node, names) for node in facts.nodes],
        partitions=[_partition(partition, names) for partition in facts.partitions],
        reservations=[_reservation(reservation, names) for reservation in facts.reservations],
        qos=[evolve(qos, name=names.qos(qos.name)) for qos in facts.qos],
        associations=[_association(association, names) for association in facts.associations],
        config=config,
        problems=facts.problems,
    )


def _node(node: SlurmNode, names: _Names) -> SlurmNode:
    return evolve(
        node,
        name=names.host(node.name),
        partitions=_all(names.partition, node.partitions),
        features=tuple(
            feature if _tells_of_gpus(feature, node) else names.feature(feature) for feature in node.features
        ),
    )


def _tells_of_gpus(feature: str, node: SlurmNode) -> bool:
    """Whether the GPUs would be read differently without this feature; any other could name the site."""
    without = evolve(node, features=tuple(name for name in node.features if name != feature))
    return accelerators_of(without) != accelerators_of(node) or bool(re.search(r"\dgb?$", feature, re.I))


def _partition(partition: SlurmPartition, names: _Names) -> SlurmPartition:
    return evolve(
        partition,
        name=names.partition(partition.name),
        nodes=_host_list(partition.nodes, names),
        allow_accounts=_all_or_none(names.account, partition.allow_accounts),
        deny_accounts=_all(names.account, partition.deny_accounts),
        allow_qos=_all_or_none(names.qos, partition.allow_qos),
        deny_qos=_all(names.qos, partition.deny_qos),
        allow_groups=None if partition.allow_groups is None else ("group",),
        qos=names.qos(partition.qos) if partition.qos else None,
    )


def _reservation(reservation: Reservation, names: _Names) -> Reservation:
    return evolve(reservation, name="reservation", nodes=_host_list(reservation.nodes, names))


def _association(association: Association, names: _Names) -> Association:
    return evolve(
        association,
        cluster="cluster" if association.cluster else "",
        account=_unless_empty(names.account, association.account),
        parent=_unless_empty(names.account, association.parent),
        user=_unless_empty(names.user, association.user),
        partition=_unless_empty(names.partition, association.partition),
        qos=_all(names.qos, association.qos),
        default_qos=_unless_empty(names.qos, association.default_qos),
    )


def _host_list(hosts: str, names: _Names) -> str:
    """A folded host list under new names; "" where it cannot be read."""
    try:
        return fold_hosts(names.host(name) for name in expand_hosts(hosts))
    except ValueError:
        return ""


def _all(rename: Rename, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(rename, names))


def _all_or_none(rename: Rename, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
    return None if names is None else _all(rename, names)


def _unless_empty(rename: Rename, name: str) -> str:
    return rename(name) if name else ""
