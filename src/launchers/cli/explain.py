"""`launchers explain`: why a requirement matches what it matches, or nothing."""

from __future__ import annotations

import argparse
import sys

from launchers.cli import options as shared
from launchers.cli import show
from launchers.cli.report import explanation_json, selection_rows
from launchers.launcher import UNREACHABLE, LauncherNotFoundError, chosen, combined, load_groups
from launchers.matching import Answer, Fit, funnels, match, reason, relaxations


def arguments(command: argparse.ArgumentParser) -> None:
    """Options of this command."""
    shared.requirement(command)
    shared.as_json(command)


def run(options: argparse.Namespace) -> int:
    """Print the explanation; the exit status is that of `find`."""
    requirement = combined(options.expr)
    groups, located = load_groups(options.config, refresh=options.refresh)
    answer = match(requirement, groups, tags=options.tag, widest=options.widest, thorough=True)
    shared.warn(answer)
    if options.json:
        show.emit(explanation_json(answer))
    else:
        _print(answer)
    if answer.selection is not None:
        return 0
    try:
        chosen(answer, located)
    except LauncherNotFoundError as error:
        print(f"launchers: {str(error).splitlines()[0]}", file=sys.stderr)  # the rest has just been explained
        return 3 if error.kind == UNREACHABLE else 1
    return 0


def _print(answer: Answer) -> None:
    found = list(funnels(answer))
    for index, trials in enumerate(answer.trials):
        print(f"need: {answer.requirement.alternatives[index]}")
        for funnel in (one for one in found if one.index == index):
            steps = "".join(f" -> {step.label}: {step.left}" for step in funnel.steps)
            print(f"  {funnel.group.name}: {funnel.offers} offer{'s' * (funnel.offers != 1)}{steps}")
            rows: dict[str, list[str]] = {}
            for trial in trials:
                if trial.offer.group is funnel.group:
                    rows.setdefault(_verdict(trial.outcome), []).append(trial.offer.name)
            for why, names in rows.items():
                print(f"    {', '.join(names)}: {why}")
    if answer.selection is not None:
        print("chosen:")
        show.table([(f"  {name}", value) for name, value in selection_rows(answer.selection)])
        for candidate, why in answer.selection.passed_over:
            offer = candidate.best.offer
            print(f"passed over: {offer.group.name}: {offer.name} (decided by {why})")
    else:
        for one in relaxations(answer):
            print(f"nearest: {one.text}")


def _verdict(outcome: Fit | tuple[object, ...]) -> str:
    if isinstance(outcome, Fit):
        return "fits" + (f", assuming {' and '.join(outcome.assumed)}" if outcome.assumed else "")
    return "; ".join(reason(one) for one in outcome)  # type: ignore[arg-type]
