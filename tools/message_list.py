"""List every text that launchers shows to people: errors, problems of files, output, help, and other words.

    tools/messages             print them, with file and line
    tools/messages --write     write docs/messages.md, which has no line numbers

The texts are found in the source, without importing it. A hole of an f-string is shown as {name}, and a part that is not
always there as [part]. Texts that are made of other texts while launchers runs are listed as their parts.
"""

import argparse
import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "launchers"
PAGE = ROOT / "docs" / "messages.md"
KINDS = {
    "error": "raised; the command line prints it on stderr",
    "problem": "of `launchers check` and `launchers flow check`, with what to do",
    "output": "printed, on stdout or stderr",
    "help": "of a command or an option",
    "words": "other text: reasons, notes, assumptions, and parts of the above",
}
PROSE = re.compile(r"[A-Za-z]{2,}[,:;]? [a-z]+[,:;]? [a-z]{2,}")
"""Three words: what a text has that stands in no message by its place, but is for people."""
LC = re.compile(r"LC\d{3}")
NOT_FOR_PEOPLE = re.compile(r"^#!|^import |\$\{|\$\(|status=\$|%[A-Za-z]\||<[a-z]+ |\.\*|\(\?|\\S|[a-z]\|[a-z]")
"""Scripts, formats of commands, markup, and regular expressions."""
OF_SCHEDULERS = ("slurm/refusals.py", "oar/refusals.py")
"""Files whose words are those of a scheduler, which launchers recognises."""


class Message(NamedTuple):
    """A text, what it is (a key of KINDS), and where it is."""

    file: str
    kind: str
    text: str
    line: int

    @property
    def room(self) -> str:
        """The folder or module of the package."""
        return self.file.split("/")[0].removesuffix(".py")


def messages(source: Path = SOURCE) -> list[Message]:
    """All messages of a package, in the order of files, kinds and texts."""
    found = {}
    for path in sorted(source.rglob("*.py")):
        file = str(path.relative_to(source))
        for kind, text, line in Reader(ast.parse(path.read_text(encoding="utf-8"))).read():
            if file in OF_SCHEDULERS and kind == "words":
                continue
            found.setdefault((file, kind, text), Message(file, kind, text, line))
    order = list(KINDS)
    return sorted(found.values(), key=lambda each: (each.file, order.index(each.kind), each.text.casefold(), each.text))


# -- reading a module ------------------------------------------------------------------------------------------

Found = Iterator[tuple[str, str, int]]


class Reader:
    """Reads one module: places that make a message first, then all other prose."""

    def __init__(self, module: ast.Module) -> None:
        self.module = module
        self.seen: set[ast.AST] = set()

    def read(self) -> Found:
        """Kind, text and line of each message."""
        self._skip()
        for scope in [node for node in ast.walk(self.module) if isinstance(node, ast.FunctionDef)]:
            yield from self._places(scope)
        yield from self._places(self.module)
        yield from self._prose(self.module)

    def _skip(self) -> None:
        """Leave out texts that nobody is shown: docstrings, regular expressions, keys, what is compared or asserted."""
        for node in ast.walk(self.module):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                self.seen.add(node.value)
            elif isinstance(node, ast.Dict):
                self.seen.update(key for key in node.keys if key)
            elif isinstance(node, ast.Compare):
                self.seen.update((node.left, *node.comparators))
            elif isinstance(node, ast.Assert) or (
                isinstance(node, ast.Call) and ast.unparse(node.func).startswith("re.")
            ):
                self.seen.update(ast.walk(node))

    def _places(self, scope: ast.AST) -> Found:
        """What stands where a message is made, in a function or, at last, anywhere."""
        for node in ast.walk(scope):
            for kind, part in made_here(node):
                for text in self._resolved(part, scope):
                    yield from self._take(kind, text)

    def _resolved(self, node: ast.expr, scope: ast.AST) -> Iterator[ast.expr]:
        """The texts of an expression: a name stands for what the function, or the module, assigns to it."""
        if isinstance(node, ast.Name):
            values = list(assigned(scope, node.id)) or list(assigned(self.module, node.id))
            yield from (
                value for value in values if isinstance(value, ast.Constant | ast.JoinedStr | ast.BinOp | ast.IfExp)
            )
        elif isinstance(node, ast.List | ast.Tuple | ast.IfExp):
            for part in (node.body, node.orelse) if isinstance(node, ast.IfExp) else node.elts:
                yield from self._resolved(part, scope)
        else:
            yield node

    def _take(self, kind: str, node: ast.expr) -> Found:
        if node in self.seen:
            return
        text = shown(node)
        if re.search(r"[A-Za-z]{2}", re.sub(r"\{[^}]*\}", "", text)) and not LC.fullmatch(text):
            self.seen.update(ast.walk(node))
            yield kind, text, node.lineno

    def _prose(self, node: ast.AST) -> Found:
        if node in self.seen:
            return
        if isinstance(node, ast.Constant | ast.JoinedStr):
            text = shown(node)
            if text and PROSE.search(text) and not NOT_FOR_PEOPLE.search(text):
                self.seen.update(ast.walk(node))
                yield "words", text, node.lineno
                return
        for child in ast.iter_child_nodes(node):
            yield from self._prose(child)


def made_here(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """The arguments of a node that are messages, and their kind."""
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        parts = [*node.exc.args, *(word.value for word in node.exc.keywords)]
        yield from (("problem" if any(map(is_code, parts)) else "error", part) for part in parts)
    elif isinstance(node, ast.Call):
        kind = kind_of_call(node)
        yield from ((kind, part) for part in node.args if kind and not isinstance(part, ast.Tuple))
        yield from (("help", word.value) for word in node.keywords if word.arg in ("help", "description"))


def kind_of_call(node: ast.Call) -> str:
    """The kind of the messages that a function is given; empty for others."""
    name = ast.unparse(node.func)
    if any(map(is_code, node.args)):
        return "problem"
    return {"print": "output", "super().__init__": "error"}.get(name, "")


def is_code(node: ast.expr) -> bool:
    """Whether this is a code of a problem."""
    return isinstance(node, ast.Constant) and LC.fullmatch(str(node.value)) is not None


def assigned(scope: ast.AST, name: str) -> Iterator[ast.expr]:
    """The values that are assigned to a name in a function or module."""
    for node in ast.walk(scope):
        if (
            isinstance(node, ast.Assign) and any(isinstance(to, ast.Name) and to.id == name for to in node.targets)
        ) or (isinstance(node, ast.NamedExpr) and node.target.id == name):
            yield node.value


# -- texts with holes ------------------------------------------------------------------------------------------


def shown(node: ast.expr) -> str:
    """An expression as text with holes; empty for what has no text of its own."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(part_shown(part) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return part_shown(node.left) + part_shown(node.right)
    if isinstance(node, ast.IfExp):
        return "|".join(filter(None, (shown(node.body), shown(node.orelse))))
    return ""


def part_shown(node: ast.expr) -> str:
    """A part of a text: as it is, as [optional], or as {name}."""
    if isinstance(node, ast.FormattedValue):
        return part_shown(node.value)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult) and shown(node.left):
        return f"[{shown(node.left)}]"
    if isinstance(node, ast.IfExp) and shown(node):
        return f"[{shown(node)}]"
    return shown(node) or (f"{{{name_of(node)}}}" if not isinstance(node, ast.Constant) else "")


def name_of(node: ast.expr) -> str:
    """A short name for an expression: the last name in what it is made of."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Call(func=ast.Attribute(attr="join"), args=[*_, last]) | ast.Call(func=ast.Name(), args=[*_, last]):
            return name_of(last)
        case ast.Call(func=ast.Attribute(value=inner)) | ast.Call(func=inner):
            return name_of(inner)
        case ast.Subscript(value=inner) | ast.Starred(value=inner) | ast.FormattedValue(value=inner):
            return name_of(inner)
        case (
            ast.BoolOp(values=[inner, *_]) | ast.BinOp(left=inner) | ast.UnaryOp(operand=inner) | ast.IfExp(body=inner)
        ):
            return name_of(inner)
        case ast.GeneratorExp(generators=[first, *_]) | ast.ListComp(generators=[first, *_]):
            return name_of(first.iter)
    return "..."


# -- the page --------------------------------------------------------------------------------------------------


def page(found: Iterable[Message]) -> str:
    """docs/messages.md."""
    found = list(found)
    lines = [
        "# Messages",
        "",
        "Every text that launchers shows to people, by room and file. `tools/messages --write` makes this page from the source, and",
        "`tests/test_messages.py` fails when the page is old, or when a text breaks a rule of its plain English.",
        "A hole is shown as `{name}`, and a part that is not always there as `[part]`.",
        "",
        *(f"- **{kind}**: {meaning}" for kind, meaning in KINDS.items()),
    ]
    for room in dict.fromkeys(each.room for each in found):
        lines += ["", f"## {room}"]
        files = dict.fromkeys(each.file for each in found if each.room == room)
        for file in files:
            lines += ["", f"### {file}", "", "```text"] if file != f"{room}.py" else ["", "```text"]
            lines += [f"{each.kind:8} {escaped(each.text)}" for each in found if each.file == file]
            lines += ["```"]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """A text on one line."""
    return text.replace("\n", "\\n").replace("\x1b", "\\x1b")


def main() -> None:
    """Print or write."""
    parser = argparse.ArgumentParser(
        prog="messages", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help="write docs/messages.md")
    options = parser.parse_args()
    found = messages()
    if options.write:
        PAGE.write_text(page(found), encoding="utf-8")
        print(f"{PAGE}: {len(found)} messages")
        return
    for each in found:
        print(f"src/launchers/{each.file}:{each.line}: {each.kind}: {escaped(each.text)}")


if __name__ == "__main__":
    main()
