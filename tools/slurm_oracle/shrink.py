"""Make a disagreement small: leave out whatever it does not need, as long as it stays."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

Description = dict[str, Any]
Case = tuple[Description, str]

KEPT = {"NodeName", "PartitionName", "Nodes", "Sockets", "CoresPerSocket", "ThreadsPerCore", "RealMemory", "Gres"}
"""What a node or partition cannot be without; a GRES goes with its node."""


def shrink(case: Case, still: Callable[[Case], bool], tries: int = 60) -> Case:
    """The smallest case found within so many tries (each brings a cluster up) in which it still disagrees."""
    again = True
    while again and tries > 0:
        again = False
        for smaller in smallers(case):
            tries -= 1
            if tries < 0:
                break
            if still(smaller):
                case, again = smaller, True
                break
    return case


def smallers(case: Case) -> Iterator[Case]:
    """Cases with one thing less, the big things first."""
    description, need = case
    for index, one in enumerate(description["partitions"]):
        if len(description["partitions"]) > 1:
            yield _without_partition(description, index, str(one["PartitionName"])), need
    for node in description["nodes"]:
        smaller = _without_node(description, str(node["NodeName"]))
        if smaller is not None:
            yield smaller, need
    for name in description["accounts"]:
        if len(description["accounts"]) > 1:
            yield _without_account(description, name), need
    for terms in _fewer_terms(need):
        yield description, terms
    for where in ("partitions", "nodes"):
        for index, one in enumerate(description[where]):
            for key in set(one) - KEPT:
                yield _dropped(description, where, index, key), need
    for name, limits in description["qos"].items():
        for key in limits:
            yield _dropped(description, "qos", name, key), need
    for key in description["config"]:
        smaller = copy.deepcopy(description)
        del smaller["config"][key]
        yield smaller, need
    for name, account in description["accounts"].items():
        if account.get("limits"):
            yield _dropped(description, "accounts", name, "limits"), need
    if description.get("drained"):
        yield {**description, "drained": []}, need


def _dropped(description: Description, where: str, which: Any, key: str) -> Description:
    smaller = copy.deepcopy(description)
    del smaller[where][which][key]
    return smaller


def _without_partition(description: Description, index: int, name: str) -> Description:
    smaller = copy.deepcopy(description)
    del smaller["partitions"][index]
    return smaller


def _without_node(description: Description, name: str) -> Description | None:
    smaller = copy.deepcopy(description)
    smaller["nodes"] = [node for node in smaller["nodes"] if node["NodeName"] != name]
    for one in smaller["partitions"]:
        left = [other for other in str(one["Nodes"]).split(",") if other != name]
        if not left:
            return None
        one["Nodes"] = ",".join(left)
    smaller["drained"] = [other for other in smaller.get("drained", ()) if other != name]
    return smaller


def _without_account(description: Description, name: str) -> Description:
    smaller = copy.deepcopy(description)
    del smaller["accounts"][name]
    for one in smaller["accounts"].values():
        if one.get("parent") == name:
            del one["parent"]
    smaller["default_account"] = next(iter(smaller["accounts"]))
    return smaller


def _fewer_terms(need: str) -> Iterator[str]:
    if " | " in need:
        yield from need.split(" | ")
        return
    terms = need.split(" & ")
    for index in range(len(terms) if len(terms) > 1 else 0):
        yield " & ".join(terms[:index] + terms[index + 1 :])
