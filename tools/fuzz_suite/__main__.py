"""tools/fuzz SUBJECT: read inputs that were changed at random; exit status 1 when one fails.

An input fails when it raises what it must not (launchers.errors.RunError and its like are an answer), takes more than
2 s, or more than 1 GiB of memory.
"""

import argparse
import sys

from fuzz_suite import driver


def main() -> int:
    """Parse the command line and fuzz."""
    parser = argparse.ArgumentParser(
        prog="tools/fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("subject", choices=[*driver.names(), "all"])
    parser.add_argument("--count", type=int, default=1000, help="how many inputs (1000)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same inputs (1)")
    parser.add_argument("--only", type=int, metavar="NUMBER", help="check this input alone")
    options = parser.parse_args()
    names = driver.names() if options.subject == "all" else [options.subject]
    failures = [driver.fuzz(name, options.count, options.seed, options.only) for name in names]
    return int(any(failures))


if __name__ == "__main__":
    sys.exit(main())
