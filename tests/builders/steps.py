"""Functions that steps of the tests run: a module, as a node imports what a plan names."""

import os
import time
from pathlib import Path

from submitit.helpers import DelayedSubmission

from launchers.plan import Chain, Dag, Map, Parallel, Plan, ResultOf, Step

CPU = "cpu(cores=1, mem=200M) & duration=10m"
GPU = "cuda(mem=24G) & duration=20m"


def double(x):
    print("doubling", x)
    return x * 2


def add(*values):
    return sum(values)


def fail(*_):
    raise ValueError("no such luck")


def once_bad(path):
    """Fails the first time."""
    if not Path(path).exists():
        Path(path).touch()
        raise RuntimeError("first time")
    return "second time"


def bad_then_slow(path):
    """Fails the first time, and then takes long."""
    once_bad(path)
    slow(path + ".again", 60)


def once_bad_later(path, go):
    """Fails the first time, once there is a file."""
    while not Path(go).exists():
        time.sleep(0.1)
    return once_bad(path)


def once_or_good(path):
    return "good" if path == "good" else once_bad(path)


def slow(path, seconds=30):
    Path(path).touch()
    time.sleep(seconds)


def good_or_bad(word):
    return word if word == "good" else fail()


def failures():
    """What waits for failures: of a Map one item is enough, of several steps each has to fail."""
    steps = [Step("x", CPU, good_or_bad, "bad"), Step("y", CPU, good_or_bad, "good")]
    some = Map("some", CPU, good_or_bad, ["good", "bad", "good"])
    after = {
        "any": {"some": "failed"},
        "both": {"x": "failed", "y": "failed"},
        "two": {"some": "failed", "x": "failed"},
    }
    return Plan("p", Dag(*steps, some, *[Step(name, CPU, double, 2) for name in after], after=after))


ENDS = {
    "x": "FAILED", "y": "COMPLETED", "some": "FAILED", "any": "COMPLETED", "both": "CANCELLED", "two": "COMPLETED",
}  # fmt: skip
"""How the steps of `failures` end."""


def bad_or_slow(path):
    return fail() if path == "bad" else slow(path)


def span(*_):
    start = time.time()
    time.sleep(0.4)
    return start, time.time()


def late_span(path):
    once_bad(path)
    return span()


def pair(values):
    return values[0] * values[1]


def largest(values):
    return max(values)


def small():
    """A plan of three submissions."""
    return Plan("p", Chain(Step("a", CPU, double, 1), Map("m", CPU, double, [1, 2]), Step("z", CPU, double, 3)))


class Counting:
    """Counts to two; a checkpoint remembers how far it was."""

    def __init__(self):
        self.tries = 0

    def __call__(self, path):
        self.tries += 1
        Path(path).write_text(str(self.tries))
        if self.tries == 1:
            time.sleep(100)
        return self.tries

    def checkpoint(self, path):
        return DelayedSubmission(self, path)


def hold(megabytes_seconds):
    """Uses so much memory for so long."""
    megabytes, seconds = megabytes_seconds
    held = bytearray(megabytes * 10**6)
    time.sleep(seconds)
    return len(held)


def spin(seconds):
    """Keeps one core busy."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def thesis():
    """A plan of people who write theses: the same on this machine, on Slurm and on OAR."""
    return Plan(
        "thesis",
        Chain(
            Step("download_data", CPU, double, 1),
            Parallel(
                Chain(
                    Step("preprocess_en", CPU, double, 2),
                    Parallel(
                        Step("train_bert", GPU, double, 3),
                        Step("train_roberta", GPU, double, 4),
                        Chain(Step("hyperparam_search", GPU, double, 5), Step("train_xlm-r", GPU, double, 6)),
                    ),
                ),
                Chain(Step("preprocess_nl", CPU, double, 7), Step("train_nl", GPU, double, 8)),
            ),
            Step("evaluate_all", CPU, add, ResultOf("train_bert"), ResultOf("train_xlm-r"), ResultOf("train_nl")),
            Step("generate_plots", CPU, double, 9),
        ),
    )


def variables(*_):
    """What this job is told in variables of ours."""
    return {name: value for name, value in os.environ.items() if name.startswith("LAUNCHERS_")}


def submit_small(tags=()):
    """What a client does."""
    small().submit(tags=tags)
