"""A job's result file, which views read without unpickling it; it may be cut off, or no result."""

import pickle
import random
from collections.abc import Sequence
from pathlib import Path

from fuzz_suite.mutations import change_bytes
from launchers.runs.results import has_succeeded, peek_outcome

EXPECTED = ()


def corpus() -> list[bytes]:
    """Results as submitit writes them, of several protocols, small and large; and pickles that are no result."""
    results = [
        ("success", None),
        ("success", {"a": [1, 2.5]}),
        ("error", "Traceback:\nValueError: no"),
        ("cancelled", "x"),
    ]
    values = [*results, ("success", bytes(70_000)), ("success", "x" * 70_000), ("error", "x\n" * 40_000), ("what",), 17]
    return [pickle.dumps(value, protocol) for value in values for protocol in (0, 2, 4, 5)]


def mutate(chance: random.Random, corpus: Sequence[bytes]) -> bytes:
    """Some changes of the bytes."""
    data = chance.choice(corpus)
    for _ in range(chance.choice([1, 1, 2, 5])):
        data = change_bytes(chance, data, corpus)
    return data


def check(data: bytes, folder: Path) -> None:
    """See what came of the job."""
    path = folder / "1_0_result.pkl"
    path.write_bytes(data)
    outcome = peek_outcome(path)
    assert has_succeeded(path) == (outcome is not None and outcome.word == "success")
    if outcome:
        outcome.reason  # noqa: B018
