"""Every command that writes a file of the user does it in one way."""

import re
from pathlib import Path

import launchers.cli
from launchers.cli.parsing import COMMANDS, parser


def commands(root):
    """Each command and verb, with its options."""
    yield root
    for action in root._actions:
        if isinstance(getattr(action, "choices", None), dict):
            for below in action.choices.values():
                yield from commands(below)


def test_every_output_has_one_name_and_can_be_forced():
    found = {
        command.prog: command._option_string_actions
        for name in COMMANDS
        for command in commands(parser(name))
        if "-o" in command._option_string_actions or "--output" in command._option_string_actions
    }
    assert {"launchers convert", "launchers report", "launchers flow graph", "launchers scan setup"} <= set(found)
    assert [name for name, options in found.items() if not {"-o", "--output", "--force"} <= set(options)] == []


def test_no_command_writes_files_itself():
    folder = Path(launchers.cli.__file__).parent
    writes = re.compile(r"write_text|write_bytes|write_atomically|\.open\(.*[\"'][wax+]")
    found = {path.name for path in folder.rglob("*.py") if writes.search(path.read_text(encoding="utf-8"))}
    assert found == {"trouble.py"}  # a traceback, in a new folder
