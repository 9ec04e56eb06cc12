"""Facts without names, for a bug report: hosts, partitions, accounts, QoS and users get numbers, the rest stays."""

from __future__ import annotations

import re
from collections.abc import Callable

from attrs import evolve

from launchers.quantities.hosts import expand, fold
from launchers.slurm.accelerators import accelerators_of
from launchers.slurm.facts import Facts, Node


def anonymize(facts: Facts) -> Facts:
    """The same cluster under other names; equal names stay equal, and numbers, limits and GPU features stay."""
    host = _numbered("node", width=4)
    partition = _numbered("partition")
    account = _numbered("account")
    qos = _numbered("qos")
    user = _numbered("user")
    feature = _numbered("feature")
    nodes = [
        evolve(
            one,
            name=host(one.name),
            partitions=tuple(partition(name) for name in one.partitions),
            features=tuple(_kept(one, name, feature) for name in one.features),
        )
        for one in facts.nodes
    ]

    def hosts(text: str) -> str:
        try:
            return fold(host(name) for name in expand(text))
        except ValueError:
            return ""

    return Facts(
        nodes=nodes,
        partitions=[
            evolve(
                one,
                name=partition(one.name),
                nodes=hosts(one.nodes),
                allow_accounts=None if one.allow_accounts is None else tuple(map(account, one.allow_accounts)),
                deny_accounts=tuple(map(account, one.deny_accounts)),
                allow_qos=None if one.allow_qos is None else tuple(map(qos, one.allow_qos)),
                deny_qos=tuple(map(qos, one.deny_qos)),
                allow_groups=None if one.allow_groups is None else ("group",),
                qos=qos(one.qos) if one.qos else None,
            )
            for one in facts.partitions
        ],
        reservations=[evolve(one, name="reservation", nodes=hosts(one.nodes)) for one in facts.reservations],
        qos=[evolve(one, name=qos(one.name)) for one in facts.qos],
        associations=[
            evolve(
                one,
                cluster="cluster" if one.cluster else "",
                account=account(one.account) if one.account else "",
                parent=account(one.parent) if one.parent else "",
                user=user(one.user) if one.user else "",
                partition=partition(one.partition) if one.partition else "",
                qos=tuple(map(qos, one.qos)),
                default_qos=qos(one.default_qos) if one.default_qos else "",
            )
            for one in facts.associations
        ],
        config={key: "cluster" if key == "ClusterName" else value for key, value in facts.config.items()},
        problems=facts.problems,
    )


def _numbered(word: str, width: int = 1) -> Callable[[str], str]:
    known: dict[str, str] = {}
    return lambda name: known.setdefault(name, f"{word}{len(known) + 1:0{width}}")


def _kept(node: Node, feature: str, rename: Callable[[str], str]) -> str:
    """A feature that GPU facts were read from keeps its name; any other could be a site's own."""
    without = evolve(node, features=tuple(name for name in node.features if name != feature))
    telling = accelerators_of(without) != accelerators_of(node) or re.search(r"\d+gb?$", feature, re.I)
    return feature if telling else rename(feature)
