"""JSON Schema of a class: each kind of field, and templates for what is not text."""

# ruff: noqa: RUF009 - attrs fields made by a function, as in every schema.py

from typing import Literal

import jsonschema
import pytest
from attrs import frozen

from launchers.files.json_schema import json_schema
from launchers.files.kinds import Count, Line, Memory, Name, documented


@frozen
class Leaf:
    """A leaf."""

    import_: Count | None = documented("a number")


@frozen
class Tree:
    """A tree."""

    name: Line | None = documented("text")
    kind: Literal["oak", "elm"] | None = documented("a choice")
    size: Memory | Count | None = documented("an amount")
    leaves: tuple[Leaf, ...] | None = documented("a list")
    branches: dict[Name, Leaf] | None = documented("a mapping")


def test_the_schema_of_a_class():
    assert json_schema(Tree, "a tree") == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "a tree",
        "$ref": "#/$defs/Tree",
        "$defs": {
            "Tree": {
                "type": "object",
                "description": "A tree.",
                "properties": {
                    "name": {"type": "string", "minLength": 1, "description": "text"},
                    "kind": {"enum": ["oak", "elm"], "description": "a choice"},
                    "size": {
                        "anyOf": [
                            {
                                "type": "string",
                                "pattern": r"^\s*([0-9]+(\.[0-9]*)?|\.[0-9]+)\s*[KMGTkmgt]([iI]?[bB])?\s*$",
                                "examples": ["24G", "8116MiB"],
                            },
                            {"type": "integer", "minimum": 0},
                        ],
                        "description": "an amount",
                    },
                    "leaves": {"type": "array", "items": {"$ref": "#/$defs/Leaf"}, "description": "a list"},
                    "branches": {
                        "type": "object",
                        "additionalProperties": {"$ref": "#/$defs/Leaf"},
                        "description": "a mapping",
                    },
                },
                "additionalProperties": False,
            },
            "Leaf": {
                "type": "object",
                "description": "A leaf.",
                "properties": {"import": {"type": "integer", "minimum": 0, "description": "a number"}},
                "additionalProperties": False,
            },
        },
    }


@pytest.mark.parametrize(
    ("document", "plain", "templated"),
    [
        ({"leaves": [{"import": 1}]}, True, True),
        ({"leaves": [{"import": "{{ n }}"}]}, False, True),
        ({"leaves": [{"import": "{% if a %}1{% endif %}"}]}, False, True),
        ({"leaves": [{"import": "n"}]}, False, False),
        ({"kind": "{{ kind }}"}, False, True),
        ({"kind": "ash"}, False, False),
        ({"name": ""}, False, False),
    ],
)
def test_a_template_may_stand_for_what_is_not_text(document, plain, templated):
    for schema, valid in [(json_schema(Tree, "t"), plain), (json_schema(Tree, "t", templates=True), templated)]:
        assert jsonschema.Draft202012Validator(schema).is_valid(document) is valid
