"""Which small changes are made: cosmic-ray's operators, a few of our own, and what is not worth a change.

A place is left alone where a change could not matter or would be noticed by nothing but its text: docstrings,
annotations, the texts of messages and of the log, `assert`, what stands under TYPE_CHECKING, how attrs makes a class.
"""

import ast
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import parso
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator
from cosmic_ray.plugins import get_operator

from .rooms import CHECKOUT

Node = Any
"""A node of parso's tree: parso has no annotations that mypy could use."""

USUAL = (
    *(f"ReplaceComparisonOperator_{pair}" for pair in ("Eq_NotEq", "NotEq_Eq", "Is_IsNot", "IsNot_Is")),
    *(f"ReplaceComparisonOperator_{pair}" for pair in ("Lt_LtE", "LtE_Lt", "Gt_GtE", "GtE_Gt", "Lt_GtE", "Gt_LtE")),
    *(f"ReplaceBinaryOperator_{pair}" for pair in ("Add_Sub", "Sub_Add", "Mul_Div", "FloorDiv_Mul")),
    *(f"ReplaceBinaryOperator_{pair}" for pair in ("Mod_Mul", "BitOr_BitAnd", "BitAnd_BitOr")),
    *("ReplaceUnaryOperator_USub_UAdd", "ReplaceUnaryOperator_Delete_Not", "AddNot"),
    *("ReplaceAndWithOr", "ReplaceOrWithAnd", "ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "NumberReplacer"),
    *("ReplaceBreakWithContinue", "ReplaceContinueWithBreak", "ExceptionReplacer", "ZeroIterationForLoop"),
)
"""What is used of cosmic-ray's operators: of the many ways to replace an operator, those that could be a slip."""

UNSEEN = ("log.", "logger.", "logging.", "warnings.", "time.sleep(")

CLASS_MAKING = {"repr", "kw_only", "slots", "frozen", "eq", "order", "strict", "init"}
"""Keyword arguments of attrs, and zip's `strict`: to change one rarely changes what a program does."""


@dataclass(frozen=True)
class Mutation:
    """One small change of one file, which is relative to the checkout."""

    path: Path
    lines: tuple[range, range]
    operator: str
    text: str
    in_function: bool


class InOperator(Operator):
    """Replace `in` by `not in`, and back."""

    def mutation_positions(self, node: Node) -> Iterator[tuple[Any, Any]]:
        """Yield the operators of a comparison."""
        for child in self._operators(node):
            yield child.start_pos, child.end_pos

    def mutate(self, node: Node, index: int) -> Node:
        """Replace one operator of a comparison."""
        old = self._operators(node)[index]
        new = "in" if old.type == "comp_op" else "not in"
        return replaced(node, old, f" {new}")

    def _operators(self, node: Node) -> list[Node]:
        children = node.children[1::2] if node.type == "comparison" else []
        return [child for child in children if child.get_code(include_prefix=False).split() in (["in"], ["not", "in"])]

    @classmethod
    def examples(cls) -> tuple[()]:
        """Return nothing: cosmic-ray's own tests would run them."""
        return ()


class ReturnNothing(InOperator):
    """Return None in place of a value."""

    def _operators(self, node: Node) -> list[Node]:
        # What is false serves callers as None does.
        if node.type != "return_stmt" or node.children[1].get_code().strip() in (
            "None",
            "False",
            '""',
            "()",
            "[]",
            "0",
        ):
            return []
        return [node.children[1]]

    def mutate(self, node: Node, index: int) -> Node:
        """Replace the value of a return statement."""
        return replaced(node, node.children[1], " None")


class RemoveStatement(InOperator):
    """Remove a call, a raise, a yield, or a change of something that is there already."""

    def _operators(self, node: Node) -> list[Node]:
        return [node.children[0]] if node.type == "simple_stmt" and self._is_removable(node.children[0]) else []

    def _is_removable(self, statement: Node) -> bool:
        if statement.type == "expr_stmt":
            # Without its first assignment a name is not defined: any test that runs the line would notice.
            target, operator = statement.children[:2]
            return operator.type == "operator" and (operator.value != "=" or target.type != "name")
        return statement.type in ("atom_expr", "raise_stmt", "yield_expr", "del_stmt")

    def mutate(self, node: Node, index: int) -> Node:
        """Put `pass` in place of a statement."""
        old = node.children[0]
        return replaced(node, old, f"{old.get_first_leaf().prefix}pass")


class RemoveBranch(InOperator):
    """Never enter a branch of an `if`."""

    def _operators(self, node: Node) -> list[Node]:
        if node.type != "if_stmt":
            return []
        starts = [
            index for index, child in enumerate(node.children) if child.type == "keyword" and child.value != "else"
        ]
        return [node.children[index + 1] for index in starts]

    def mutate(self, node: Node, index: int) -> Node:
        """Replace the condition of a branch."""
        return replaced(node, self._operators(node)[index], " False")


class RemoveFilter(InOperator):
    """Take everything in a comprehension."""

    def _operators(self, node: Node) -> list[Node]:
        return [node.children[1]] if node.type == "comp_if" else []

    def mutate(self, node: Node, index: int) -> Node:
        """Replace the condition of a comprehension."""
        return replaced(node, node.children[1], " True")


def replaced(node: Node, old: Node, text: str) -> Node:
    """Put a text in place of a child."""
    new = parso.python.tree.Name(text, old.start_pos)
    node.children[node.children.index(old)] = new
    return node


OPERATORS: dict[str, Operator] = {
    **{name: get_operator(f"core/{name}")() for name in USUAL},
    **{kind.__name__: kind() for kind in (InOperator, ReturnNothing, RemoveStatement, RemoveBranch, RemoveFilter)},
}


def choose(files: list[Path], count: int, seed: str) -> list[Mutation]:
    """Return so many of all mutations of these files, the same each time for one seed."""
    places = [place for path in files for place in places_in(path)]
    random.Random(seed).shuffle(places)
    chosen: list[Mutation] = []
    for path, operator, occurrence, node in places:
        if len(chosen) == count:
            break
        if is_trivial(node) or (operator.startswith("ReplaceBinaryOperator") and not is_arithmetic(node)):
            continue
        source = (CHECKOUT / path).read_text(encoding="utf-8")
        text = mutate_code(source, OPERATORS[operator], occurrence)
        if text is not None and is_different_program(source, text):
            chosen.append(Mutation(path, lines_of(node), operator, text, is_in_function(node)))
    return chosen


def places_in(path: Path) -> list[tuple[Path, str, int, Node]]:
    """Return the operators, occurrences and nodes of all changes of a file."""
    nodes = list(ast_nodes(get_ast((CHECKOUT / path).read_text(encoding="utf-8"))))
    places = []
    for name, operator in OPERATORS.items():
        occurrence = 0
        for node in nodes:
            for _ in operator.mutation_positions(node):
                places.append((path, name, occurrence, node))
                occurrence += 1
    return places


def is_different_program(before: str, after: str) -> bool:
    """Tell whether a mutation gives a program at all, and another one."""
    try:
        return ast.dump(ast.parse(after)) != ast.dump(ast.parse(before))
    except SyntaxError:
        return False


def is_trivial(node: Node) -> bool:
    """Tell whether a change here could not matter."""
    within, above = node, node.parent
    while above is not None:
        if above.type in ("raise_stmt", "assert_stmt", "fstring", "decorator"):
            return True
        if is_annotation(within, above) or is_for_types(above) or is_class_making(above) or is_unseen_call(above):
            return True
        within, above = above, above.parent
    return node.type in ("raise_stmt", "assert_stmt") or is_unseen_call(node) or is_for_types(node)


def is_annotation(within: Node, above: Node) -> bool:
    """Tell whether this child is an annotation."""
    if above.type == "annassign":
        return within is above.children[1]
    if above.type == "tfpdef":
        return within is above.children[-1]
    return above.type == "funcdef" and within is above.annotation


def is_for_types(node: Node) -> bool:
    """Tell whether this is `if TYPE_CHECKING`, or what makes a module a program."""
    if node.type != "if_stmt":
        return False
    condition = node.children[1].get_code()
    return "TYPE_CHECKING" in condition or "__name__" in condition


def is_class_making(node: Node) -> bool:
    """Tell whether this is a keyword argument that says how attrs makes a class."""
    return node.type == "argument" and node.children[0].get_code().strip() in CLASS_MAKING


def is_unseen_call(node: Node) -> bool:
    """Tell whether this, or the statement that it is, writes to the log or sleeps: a test had to measure to see it."""
    call = node.children[0] if node.type == "simple_stmt" else node
    return call.type == "atom_expr" and call.get_code(include_prefix=False).startswith(UNSEEN)


def is_arithmetic(operator: Node) -> bool:
    """Tell whether this operator is one of numbers or sets, as far as can be seen: not one of texts, types, parameters."""
    above = operator.parent
    if above.type not in ("arith_expr", "term", "expr", "and_expr"):
        return False
    if any(child.type in ("string", "strings", "fstring", "atom") for child in above.children):
        return False
    while above is not None and above.type != "atom_expr":
        above = above.parent
    call = above.children[0].get_code().strip() if above is not None else ""
    return is_in_function(operator) and call not in ("isinstance", "issubclass", "cast")


def is_in_function(node: Node) -> bool:
    """Tell whether this runs when a function does, and not when the file is imported."""
    within, above = node, node.parent
    while above is not None:
        if above.type in ("funcdef", "lambdef") and within is above.children[-1]:
            return True
        within, above = above, above.parent
    return False


def lines_of(node: Node) -> tuple[range, range]:
    """Return the lines of a place, and of the statement around it: of a compound statement only those of its head."""
    statement = node
    while statement.parent is not None and statement.parent.type not in ("file_input", "suite"):
        statement = statement.parent
    return tuple(range(each.start_pos[0], last_line(each) + 1) for each in (node, statement))


def last_line(node: Node) -> int:
    """Return the last line of a place, without the statements inside it."""
    suites = [child for child in getattr(node, "children", ()) if child.type == "suite"]
    return suites[0].start_pos[0] if suites else node.end_pos[0]
