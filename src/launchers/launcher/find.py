"""Find the best launcher for a requirement."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import or_
from pathlib import Path

from launchers.config.find import Located
from launchers.errors import NOTHING_CONFIGURED, NOTHING_MATCHES, UNREACHABLE, LauncherNotFoundError
from launchers.launcher.groups import load_groups
from launchers.launcher.launcher import Launcher
from launchers.matching import STAGES, Answer, match
from launchers.requirement import Requirement, parse


def find_launcher(
    *requirements: str | Requirement,
    tags: Iterable[str] = (),
    config: str | Path | None = None,
    widest: bool = False,
    live: bool = False,
) -> Launcher:
    """The best launcher for the first of `requirements` that can be met anywhere.

    `tags` keeps the groups that carry any of them.  `config` is a launchers.yaml; without it the usual places are
    looked at (`launchers where`), and where there is none, this machine is the one launcher.  `live` lets what the
    cluster is doing now order what is equal otherwise.  Raises
    RequirementSyntaxError, ConfigError, and LauncherNotFoundError with the reasons when there is none.
    """
    groups, located = load_groups(config, live=live)
    answer = match(combined(requirements), groups, tags=tags, widest=widest)
    return chosen(answer, located)


def combined(requirements: Iterable[str | Requirement]) -> Requirement:
    """Several requirements as alternatives, in their order; ValueError when there are none."""
    parsed = [one if isinstance(one, Requirement) else parse(one) for one in requirements]
    if not parsed:
        raise ValueError("a requirement is needed, such as 'cuda(mem=24G)'")
    return reduce(or_, parsed)


def chosen(answer: Answer, located: Located | None = None) -> Launcher:
    """The launcher of an answer; raises LauncherNotFoundError with the short explanation when there is none."""
    if answer.selection is not None:
        return Launcher(answer, answer.selection)
    raise LauncherNotFoundError(*_failure(answer, located), answer)


def _failure(answer: Answer, located: Located | None) -> tuple[str, str]:
    where = f" ({located.used})" if located and located.used else ""
    if not answer.trials or not any(answer.trials):
        lost = [f"{group.name}: {why}" for group, why in answer.skipped if group.unreachable == why]
        if lost:
            return f"no launcher can be reached{where}:\n  " + "\n  ".join(lost), UNREACHABLE
        if answer.skipped:
            known = sorted({tag for group, _ in answer.skipped for tag in group.tags})
            there = f"the tags there are: {', '.join(known)}" if known else "no group has any tag"
            return f"no launcher group has any of the tags asked for{where}: {there}", NOTHING_MATCHES
        return f"no launcher is configured{where}: it has no usable group", NOTHING_CONFIGURED
    lines = [f"nothing matches {answer.requirement}{where}"]
    lines += [f"  {line}" for line in summary(answer)]
    return "\n".join(lines), NOTHING_MATCHES


def summary(answer: Answer, most: int = 6) -> list[str]:
    """Why nothing matched, in few lines: the offers that came nearest, and what would have matched."""
    from launchers.matching.relax import relaxations
    from launchers.matching.words import reason

    rows: dict[str, list[str]] = {}
    refused = [(t.offer, t.rejections) for trials in answer.trials for t in trials if t.rejections]
    for offer, outcome in sorted(refused, key=lambda pair: (len(pair[1]), -min(STAGES.index(o.code) for o in pair[1]))):
        why = "; ".join(reason(one) for one in outcome)
        rows.setdefault(why, []).append(offer.partition.name or offer.group.name)
    lines = [f"{', '.join(dict.fromkeys(names))}: {why}" for why, names in list(rows.items())[:most]]
    if len(rows) > most:
        lines.append(f"... and {len(rows) - most} more reasons: launchers explain shows all")
    return lines + [one.text for one in relaxations(answer)]
