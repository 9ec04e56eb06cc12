"""tools/fuzz SUBJECT: read inputs that were changed at random; exit status 1 when one fails.

    tools/fuzz plan --count 30000 --seed 1
    tools/fuzz all
    tools/fuzz lock --takes 50000 --processes 8 --seed 1     on a local disk; with --nfs on a folder as NFS has it

An input fails when it raises what it must not (launchers.errors.RunError and its like are an answer), takes more than
2 s, or more than 500 MB of memory.  `lock` is no input: processes take the lock of one folder, and some are killed.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from fuzz_suite import driver


def main() -> int:
    """Parse the command line and fuzz."""
    parser = argparse.ArgumentParser(
        prog="tools/fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("subject", choices=[*driver.names(), "all", "lock"])
    parser.add_argument("--count", type=int, default=1000, help="how many inputs (1000)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same inputs (1)")
    parser.add_argument("--only", type=int, metavar="NUMBER", help="check this input alone")
    parser.add_argument("--takes", type=int, default=5000, help="lock: how often it is taken, of all together (5000)")
    parser.add_argument("--processes", type=int, default=8, help="lock: how many take it (8)")
    parser.add_argument("--nfs", action="store_true", help="lock: on three machines that share a folder")
    options = parser.parse_args()
    if options.subject == "lock":
        return lock(options)
    names = driver.names() if options.subject == "all" else [options.subject]
    failures = [driver.fuzz(name, options.count, options.seed, options.only) for name in names]
    return int(any(failures))


def lock(options: argparse.Namespace) -> int:
    """Have processes take a lock; one in twenty times one of them is killed or stopped."""
    from lock_clients import take_often
    from nfs import nfs

    more = (options.takes, options.seed, options.takes // 20)
    with tempfile.TemporaryDirectory() as folder:
        if options.nfs:
            with nfs(Path(folder), clients=3, seed=options.seed) as folders:
                tally = take_often([folders[number % 3] / "lock" for number in range(options.processes)], *more)
        else:
            tally = take_often([Path(folder) / "lock"] * options.processes, *more)
    print(f"lock: {tally} (seed {options.seed})")
    return int(bool(tally.doubled or tally.failed or tally.blocked))


if __name__ == "__main__":
    sys.exit(main())
