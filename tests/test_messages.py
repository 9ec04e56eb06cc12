"""docs/messages.md is what the source says, and every message is plain English as far as a machine can tell."""

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import message_list  # noqa: E402 - tools are no package

LONGEST = 200
"""Characters of a line, with its holes."""
BANNED = {
    r"\bone that\b": "name the thing",
    r"\bof which\b": "make two sentences",
    r"\bthere is to\b": "say who does what",
    r"\bthat there (is|are)\b": "leave it out",
    r"\bwhat is (told|said|asked|found|wanted)\b": "name the thing",
    r"\b(is|are|was|were) (told|said)\b": "say who prints, writes or asks what",
    r"\b(it|they) says?\b": "say what it has or prints",
    r"\bsays? (already|itself|themselves)\b": "write 'already has' or 'itself'",
    r"\bcome back with\b": "write: to watch it again: launchers wait RUN",
    r"\bgoes? on\b|\bgo on\b": "write: keeps running",
    r"\bnobody\b": "say who does what",
    r"\bhangs? on\b": "write: depends on",
    r"\bat their ends?\b": "write: when they end",
    r": known are|; known are|: the \w+ there are": "write: known NAMES: a, b",
    r"\ball the same\b": "leave it out",
    r"\bstands (here|there|behind|before)\b": "say where it is",
    r"\bso that\b": "make two sentences",
}
"""Words that make a message hard to read, and what to write instead."""

MESSAGES = message_list.messages()


def lines(text):
    """The lines of a message, without indentation. A text of many lines, such as a README, is laid out as it likes."""
    return [line.strip() for line in text.split("\n")] if text.count("\n") < 5 else []


def offenders(is_bad):
    bad = [each for each in MESSAGES if any(map(is_bad, lines(each.text)))]
    return [f"{each.file}:{each.line}: {each.text}" for each in bad]


def test_the_page_is_what_the_source_says():
    assert message_list.PAGE.read_text(encoding="utf-8") == message_list.page(MESSAGES), "run tools/messages --write"


def test_messages_are_found_wherever_they_are_made(tmp_path):
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "file.py").write_text('''"""A docstring of many words."""
RULE = re.compile("not for the people")
WORDS = {"a key of words": "waits for a node"}

class Bad(ValueError):
    def __init__(self, name):
        super().__init__(f"{name} is bad")

def check(names, old):
    hint = "write a name"
    if names == "more than two words":
        raise Bad(f"no {', '.join(names)} in {old.path!r}{' (old)' if old else ''}")
    yield tree.problem("LC101", path, f"unknown key {names[0]}", hint)
    print(f"{len(names)} name{'s' * (len(names) != 1)}" if names else "none", file=sys.stderr)
    command.add_argument("--all", help="list all")
''')
    found = [(each.kind, each.text) for each in message_list.messages(tmp_path)]
    assert found == [
        ("error", "no {names} in {path}[ (old)]"),
        ("error", "{name} is bad"),
        ("problem", "unknown key {names}"),
        ("problem", "write a name"),
        ("output", "none"),
        ("output", "{names} name[s]"),
        ("help", "list all"),
        ("words", "waits for a node"),
    ]
    page = message_list.page(message_list.messages(tmp_path))
    assert "## room\n\n### room/file.py\n\n```text\nerror    no {names} in" in page


@pytest.mark.parametrize("pattern", BANNED)
def test_no_message_has_words_that_name_nothing(pattern):
    assert offenders(re.compile(pattern).search) == [], BANNED[pattern]


def test_no_message_has_two_spaces():
    assert offenders(lambda line: "  " in line) == []


def test_a_message_that_is_no_sentence_has_no_period():
    """Errors and help begin with a small letter and are no sentences; those of several sentences have a period."""
    bad = [each for each in MESSAGES if re.fullmatch(r"[a-z{].*[^.]\.", each.text)]  # of one line
    assert [f"{each.file}:{each.line}: {each.text}" for each in bad if not re.search(r"[.:?] ", each.text)] == []


def test_quotes_and_other_signs_are_ascii():
    assert offenders(lambda line: not line.isascii()) == []


def test_no_line_is_too_long():
    assert offenders(lambda line: len(line) > LONGEST) == []


WRITES_TO_STDOUT = {
    "plan/plan.py": "describe",  # prints and returns its text
    "launcher/follow.py": "follow",  # copies what the command of `launchers run` writes
    "terminal.py": "put_bytes",  # makes the streams of the command line
    "flow/on_node.py": "__call__",  # runs in a job, and writes to its log
}
"""The functions outside of the command line that write to stdout."""


def functions_that_write_to_stdout(path):
    """Those with a print without a file, or with sys.stdout, but for asking whether it is a terminal."""
    for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(function, ast.FunctionDef):
            text = ast.unparse(function)
            calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
            prints = [call for call in calls if ast.unparse(call.func) == "print"]
            to_stdout = [call for call in prints if "file" not in {word.arg for word in call.keywords}]
            if to_stdout or re.search(r"sys\.stdout(?!\.isatty)", text):
                yield function.name


def test_only_the_command_line_writes_to_stdout():
    source = message_list.SOURCE
    found = {
        str(path.relative_to(source)): name
        for path in source.rglob("*.py")
        if path.relative_to(source).parts[0] != "cli"
        for name in functions_that_write_to_stdout(path)
    }
    assert found == WRITES_TO_STDOUT
