"""Change the code a little in random places and see whether the tests of the room notice.

A mutation is killed when a fast test of its own room fails, or takes far too long; else it survives, and its diff is
printed: either a test is missing, or the change makes no difference. All is done in copies, in a temporary folder.
Which mutations are tried depends on the code, --seed and --count only.
"""

import argparse
import difflib
import queue
import signal
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from .mutations import Mutation, choose
from .rooms import CHECKOUT, ROOMS, sources_of, tests_of
from .trial import BaselineError, Copy, Notes, Outcome


@dataclass(frozen=True)
class Trial:
    """A mutation of a room, and what became of it."""

    room: str
    mutation: Mutation
    outcome: Outcome
    seconds: float


def main() -> int:
    """Try the mutations and print what survives. Return 1 when too many do."""
    options = parse_options()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the temporary folder is removed then, too
    rooms = [room for room in options.room or ROOMS if sources_of(room) and tests_of(room)]
    for room in options.room or ROOMS:
        if room not in rooms:
            print(f"mutants: {room} has no code or no tests here: it is NOT tried", file=sys.stderr)
    if not rooms:
        return 2
    # As many for each room, whatever its size; the first rooms take what is left over.
    counts = {room: options.count // len(rooms) + (i < options.count % len(rooms)) for i, room in enumerate(rooms)}
    mutations = {room: choose(sources_of(room), counts[room], f"{options.seed} {room}") for room in rooms}
    try:
        trials = try_all(mutations, options.jobs)
    except BaselineError as error:
        print(f"mutants: {error}", file=sys.stderr)
        return 2
    print_survivors(trials)
    return 0 if print_table(trials) >= options.at_least else 1


def parse_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="mutants", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="which mutations are tried (default 1)")
    parser.add_argument("--count", type=int, default=200, help="how many, in all rooms together (default 200)")
    parser.add_argument("--room", action="append", choices=ROOMS, help="try this room only; may be given again")
    parser.add_argument("--jobs", type=int, default=2, help="how many are tried at a time (default 2)")
    parser.add_argument("--at-least", type=float, default=85, metavar="PERCENT", help="exit 1 below that (default 85)")
    return parser.parse_args()


def try_all(mutations: dict[str, list[Mutation]], jobs: int) -> list[Trial]:
    """Try all mutations, some at a time. Raise BaselineError where a room's tests do not pass as they are."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder, ThreadPoolExecutor(jobs) as pool:
        copies: queue.Queue[Copy] = queue.Queue()
        for copy in pool.map(Copy, [Path(folder) / str(number) for number in range(jobs)]):
            copies.put(copy)

        def read_notes(room: str) -> Notes:
            copy = copies.get()
            try:
                return copy.read_notes(room)
            finally:
                copies.put(copy)

        def try_one(room: str, mutation: Mutation, notes: Notes) -> Trial:
            copy, start = copies.get(), time.monotonic()
            try:
                outcome = copy.try_mutation(mutation, notes)
            finally:
                copies.put(copy)
            return Trial(room, mutation, outcome, time.monotonic() - start)

        notes = dict(zip(mutations, pool.map(read_notes, mutations), strict=True))
        for room, each in notes.items():
            print(f"{room}: {len(each.seconds)} tests, {sum(each.seconds.values()):.0f} s", file=sys.stderr)
            for test in each.failed:
                print(f"mutants: {test} fails without a mutation: it is NOT used", file=sys.stderr)
        futures = [pool.submit(try_one, room, each, notes[room]) for room in mutations for each in mutations[room]]
        trials = []
        try:
            for future in as_completed(futures):
                trials.append(future.result())
                print_progress(trials[-1], len(trials), len(futures))
        finally:
            pool.shutdown(cancel_futures=True)  # when interrupted, only what has begun is waited for
    return sorted(trials, key=lambda trial: (trial.room, trial.mutation.path, trial.mutation.lines[0].start))


def print_progress(trial: Trial, number: int, count: int) -> None:
    """Say on stderr what became of one mutation."""
    place = f"{trial.mutation.path}:{trial.mutation.lines[0].start}"
    text = f"{number}/{count} {trial.outcome.value:8} {trial.seconds:5.1f} s  {place} {trial.mutation.operator}"
    print(text, file=sys.stderr, flush=True)


def print_survivors(trials: list[Trial]) -> None:
    """Print the mutations that no test noticed, as diffs."""
    for trial in trials:
        if trial.outcome is Outcome.SURVIVED:
            before = (CHECKOUT / trial.mutation.path).read_text(encoding="utf-8").splitlines()
            after = trial.mutation.text.splitlines()
            name = str(trial.mutation.path)
            print(
                "\n".join(difflib.unified_diff(before, after, name, f"{name} ({trial.room})", n=2, lineterm="")),
                end="\n\n",
            )


def print_table(trials: list[Trial]) -> float:
    """Print how many mutations of each room were killed. Return the share of all, in percent."""
    print(f"{'room':12} {'mutants':>7} {'killed':>7} {'survived':>8} {'share':>6} {'s each':>7}")
    for room in (*dict.fromkeys(trial.room for trial in trials), "all"):
        tried = [trial for trial in trials if room in (trial.room, "all")]
        survived = Counter(trial.outcome for trial in tried)[Outcome.SURVIVED]
        share = 100 * (len(tried) - survived) / len(tried)
        seconds = sum(trial.seconds for trial in tried) / len(tried)
        print(f"{room:12} {len(tried):7} {len(tried) - survived:7} {survived:8} {share:4.0f} % {seconds:7.1f}")
    return share


if __name__ == "__main__":
    sys.exit(main())
