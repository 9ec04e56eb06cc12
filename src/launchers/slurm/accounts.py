"""The accounts that a person may charge, from the cluster's associations (man sacctmgr)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attrs import frozen

from launchers.config import schema
from launchers.slurm.facts import Association, Bounds, SlurmFacts, Tres
from launchers.slurm.limits import Enforcement, limits_of

Accounts = Mapping[str, Association]
"""The associations of accounts themselves, by name. What they set holds for the accounts and users below them."""


@frozen
class Person:
    """The person for whom a cluster is described: name, default account, Unix groups; None where not known."""

    user: str | None = None
    default_account: str | None = None
    groups: frozenset[str] | None = None


def accounts_of(facts: SlurmFacts, person: Person, enforcement: Enforcement) -> dict[str, schema.AccountSpec]:
    """The accounts that the person may charge, each with its own limits and those of the accounts above it.

    None where the cluster does not enforce associations.
    """
    if not enforcement.associations:
        return {}
    mine = _associations_of(facts, person)
    accounts = parent_accounts(facts)
    specs = {}
    for association in mine:
        partitions = tuple(other.partition for other in mine if other.account == association.account)
        specs[association.account] = schema.AccountSpec(
            qos=association.qos or None,
            default_qos=association.default_qos or None,
            default=_is_default(association, person) or None,
            partition=None if "" in partitions else partitions,
            limits=limits_of(_with_inherited(association, accounts), enforcement),
        )
    return specs


def parent_accounts(facts: SlurmFacts) -> Accounts:
    """The accounts of this cluster."""
    return {association.account: association for association in _of_this_cluster(facts) if not association.user}


def with_accounts_below(named: Iterable[str], accounts: Iterable[str], parents: Accounts) -> tuple[str, ...]:
    """The `named` accounts, and those of `accounts` that are below one of them."""
    named = tuple(named)
    below = [name for name in accounts if not set(_lineage(name, parents)).isdisjoint(named)]
    return tuple(dict.fromkeys([*named, *below]))


def _associations_of(facts: SlurmFacts, person: Person) -> list[Association]:
    """The person's associations; none where several users have some and it is not known who the person is."""
    of_users = [association for association in _of_this_cluster(facts) if association.user]
    if person.user is not None:
        return [association for association in of_users if association.user == person.user]
    return of_users if len({association.user for association in of_users}) == 1 else []


def _of_this_cluster(facts: SlurmFacts) -> list[Association]:
    """The associations of this cluster in the order of their names, those for all partitions behind those for one."""
    cluster = facts.config.get("ClusterName")
    mine = (association for association in facts.associations if not cluster or association.cluster in ("", cluster))
    return sorted(mine, key=lambda one: (one.cluster, one.account, one.user, not one.partition, one.partition))


def _is_default(association: Association, person: Person) -> bool:
    return association.default or (person.default_account or None) == association.account


def _lineage(account: str, parents: Accounts) -> list[str]:
    """An account, the account above it, and so on to root."""
    lineage: list[str] = []
    while account and account not in lineage:
        lineage.append(account)
        account = parents[account].parent if account in parents else ""
    return lineage


def _with_inherited(association: Association, parents: Accounts) -> Bounds:
    """The limits of an association and of the accounts above it (docs/slurm-facts.md#qos-and-associations).

    A Max limit comes from the nearest that sets it. Grp limits hold at every level, so the lowest counts.
    """
    bounds = association.bounds
    for name in _lineage(association.account, parents):
        if name not in parents:
            break
        above = parents[name].bounds
        bounds = Bounds(
            max_wall=_first(bounds.max_wall, above.max_wall),
            max_tres=_nearest(bounds.max_tres, above.max_tres),
            max_tres_per_node=_nearest(bounds.max_tres_per_node, above.max_tres_per_node),
            max_tres_mins=_nearest(bounds.max_tres_mins, above.max_tres_mins),
            grp_tres=_lowest(bounds.grp_tres, above.grp_tres),
            grp_tres_mins=_lowest(bounds.grp_tres_mins, above.grp_tres_mins),
            grp_tres_run_mins=_lowest(bounds.grp_tres_run_mins, above.grp_tres_run_mins),
            min_tres=bounds.min_tres,
            grp_wall=_least(bounds.grp_wall, above.grp_wall),
            max_jobs=_first(bounds.max_jobs, above.max_jobs),
            grp_jobs=_least(bounds.grp_jobs, above.grp_jobs),
            max_submit=_first(bounds.max_submit, above.max_submit),
            grp_submit=_least(bounds.grp_submit, above.grp_submit),
        )
    return bounds


def _nearest(own: Tres, above: Tres) -> Tres:
    return tuple({**dict(above), **dict(own)}.items())


def _lowest(own: Tres, above: Tres) -> Tres:
    lowest = dict(own)
    for name, value in above:
        lowest[name] = min(value, lowest.get(name, value))
    return tuple(lowest.items())


def _first(own: int | None, above: int | None) -> int | None:
    return above if own is None else own


def _least(*values: int | None) -> int | None:
    return min((value for value in values if value is not None), default=None)
