"""The command `launchers`: it parses options and prints, and it is where trouble becomes a line.

Little is imported before `main` watches over it: Ctrl-C may come at any moment.
"""

from __future__ import annotations

import sys

from launchers.cli.exit_status import INTERRUPTED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status, which is one of `exit_status.py` unless the command has its own."""
    try:
        from launchers.terminal import open_closed_streams, shown_streams

        open_closed_streams()
        with shown_streams():
            return _run(sys.argv[1:] if argv is None else argv)
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        if argv is None:
            _end_by_signals()


def _end_by_signals() -> None:
    """From here on Ctrl-C ends this process without a word, as Python has nothing left to do but to end."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _run(argv: Sequence[str]) -> int:
    """Run the command; whatever it raises becomes an exit status and a line on stderr."""
    command = "launchers"
    try:
        options = _options(argv)
        verb = getattr(options, "verb", None) or getattr(options, "action", None)
        command = " ".join(filter(None, ("launchers", options.command, verb)))
        from launchers.cli.parsing import module
        from launchers.cli.verbose import commands_on_stderr

        with commands_on_stderr(options.verbose):
            status = int(module(options.command).run(options))
        sys.stdout.flush()
        return status
    except Exception as error:
        from launchers.cli.trouble import status_of

        return status_of(error, command)


def _options(argv: Sequence[str]) -> Namespace:
    """The options; what follows `--` is in `argv`.  argparse ends the process after an error or the help."""
    from argparse import Namespace

    from launchers.cli.parsing import parser

    words = [*argv]
    cut = words.index("--") if "--" in words else len(words)
    words, behind = words[:cut], words[cut + 1 :]
    name = next((word for word in words if not word.startswith("-")), "")
    try:
        options = Namespace(argv=behind, verbose=False)
        parser(name).parse_args(words, options)
        return options
    except SystemExit:
        sys.stdout.flush()  # else a full disk would be found at the very end, by Python
        raise
