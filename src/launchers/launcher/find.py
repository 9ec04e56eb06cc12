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
from launchers.matching import Answer, SkipReason, Trial, match
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
    """Why there is no launcher, in words and as the kind of LauncherNotFoundError."""
    where = f" ({located.used})" if located and located.used else ""
    if any(answer.trials):
        lines = [f"nothing matches {answer.requirement}{where}"]
        lines += [f"  {line}" for line in summary(answer)]
        return "\n".join(lines), NOTHING_MATCHES
    unreachable = [skipped.group for skipped in answer.skipped if skipped.reason is SkipReason.UNREACHABLE]
    if unreachable:
        reasons = [f"{group.name}: {group.unreachable}" for group in unreachable]
        return f"no launcher can be reached{where}:\n  " + "\n  ".join(reasons), UNREACHABLE
    if answer.skipped:
        tags = sorted(answer.tags)
        asked = f"the tag {tags[0]!r}" if len(tags) == 1 else f"any of the tags {', '.join(tags)}"
        known = sorted({tag for skipped in answer.skipped for tag in skipped.group.tags})
        known_tags = f"Known tags: {', '.join(known)}." if known else "No group has a tag."
        return f"no launcher group{where} has {asked}. {known_tags}", NOTHING_MATCHES
    return f"no launcher is configured{where}: it has no usable group", NOTHING_CONFIGURED


def summary(answer: Answer, most: int = 6) -> list[str]:
    """Why nothing matched, in few lines: the offers that came nearest, and what would have matched.

    Of a partition only those reasons are told that are not part of others: the rest of it is further away.
    """
    from launchers.matching.relax import relaxations
    from launchers.matching.words import rejection_text, rejections_text, relaxation_text

    rejected = [trial for trials in answer.trials for trial in trials if trial.rejections]
    rows: dict[str, list[str]] = {}
    nearer: dict[str, list[set[str]]] = {}
    for trial in sorted(rejected, key=_distance):
        offer = trial.offer
        name = offer.partition.name or offer.group.name
        reasons = {rejection_text(offer, rejection) for rejection in trial.rejections}
        if any(fewer < reasons for fewer in nearer.setdefault(name, [])):
            continue
        nearer[name].append(reasons)
        rows.setdefault(rejections_text(offer, trial.rejections), []).append(name)
    lines = [f"{', '.join(dict.fromkeys(names))}: {text}" for text, names in list(rows.items())[:most]]
    if len(rows) > most:
        lines.append(f"... and {len(rows) - most} more reasons: launchers explain shows all")
    return lines + [relaxation_text(relaxation) for relaxation in relaxations(answer)]


def _distance(trial: Trial) -> tuple[int, int]:
    """How far an offer is from fitting: the number of reasons, then how early the first stage is that rejects it."""
    return len(trial.rejections), -min(rejection.code.stage for rejection in trial.rejections)
