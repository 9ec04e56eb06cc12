"""Ask a live OAR, and remember the answer for a while, as `launchers convert` would have written it."""

from __future__ import annotations

import os

from attrs import frozen

from launchers.commands import CommandError, Connector, LocalConnector
from launchers.config.cache import place, recall, remember
from launchers.config.emit import to_yaml
from launchers.config.schema import OarGroup
from launchers.oar.convert import convert
from launchers.oar.facts import OarFacts, read_oarnodes
from launchers.oar.refusals import oar_complaint

TIMEOUT = 60.0
OARNODES = ("oarnodes", "-J")


@frozen
class Answer:
    """What a cluster says, and how old that is (seconds)."""

    group: OarGroup
    age: float


def ask(connector: Connector | None = None) -> OarFacts | str:
    """The facts of the live cluster, or why there are none."""
    try:
        outcome = (connector or LocalConnector()).run(OARNODES, timeout=TIMEOUT)
    except CommandError as error:
        return str(error)
    if outcome.status:
        return f"oarnodes: {oar_complaint(outcome)}"
    try:
        return read_oarnodes(outcome.stdout)
    except ValueError as error:
        return f"oarnodes: {error}"


def query(*, refresh: bool = False, connector: Connector | None = None) -> Answer | str:
    """What the live cluster says, a few minutes old at most; or why it cannot be read."""
    path = place("oar", os.uname().nodename)  # OAR's commands read one configuration
    known = None if refresh else recall(path)
    if known is not None and known[0].oar:
        return Answer(known[0].oar[0], known[1])
    facts = ask(connector)
    if isinstance(facts, str):
        return f"query_oar: {facts}"
    found = convert(facts)
    remember(path, to_yaml(found, "What `query_oar: true` read last."))
    return Answer(found.group, 0.0)
