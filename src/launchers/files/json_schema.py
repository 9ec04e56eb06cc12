"""JSON Schemas of files, made from the attrs classes that are their schema. Editors use them to complete and check."""

from __future__ import annotations

import types
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import attrs

from launchers.files import kinds

_MEMORY = r"^\s*([0-9]+(\.[0-9]*)?|\.[0-9]+)\s*[KMGTkmgt]([iI]?[bB])?\s*$"
_VALUES: dict[Any, dict[str, Any]] = {
    kinds.Memory: {"type": "string", "pattern": _MEMORY, "examples": ["24G", "8116MiB"]},
    kinds.Duration: {"type": "string", "examples": ["20h", "4 days", "2-00:00:00"]},
    kinds.Name: {"type": ["string", "integer"]},
    kinds.Hosts: {"type": ["string", "integer"]},
    kinds.Line: {"type": "string", "minLength": 1},
    kinds.Property: {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
    kinds.Value: {"type": ["string", "number", "boolean"]},
    kinds.Word: {"type": "string"},
    kinds.Regex: {"type": "string", "format": "regex"},
    kinds.Count: {"type": "integer", "minimum": 0},
    kinds.Ratio: {"type": "number", "minimum": 0, "maximum": 1},
    float: {"type": "number"},
    int: {"type": "integer"},
    bool: {"type": "boolean"},
    str: {"type": "string"},
    Any: {},
}


def json_schema(kind: type, title: str, *, templates: bool = False) -> dict[str, Any]:
    """The JSON Schema (2020-12) of the files that are read as `kind`, an attrs class made of `files.kinds`.

    With `templates`, a Jinja2 template may be written for any value that is not text.
    """
    definitions: dict[str, Any] = {}
    root = _schema_of(kind, definitions)
    if templates:
        definitions = _with_templates(definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        **root,
        "$defs": definitions,
    }


def _schema_of(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    """The schema of a type; classes are added to `definitions` and referred to."""
    if kind in _VALUES:
        return dict(_VALUES[kind])
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is tuple:
        return {"type": "array", "items": _schema_of(arguments[0], definitions)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema_of(arguments[1], definitions)}
    if origin in (Union, types.UnionType):
        members = [_schema_of(member, definitions) for member in arguments if member is not types.NoneType]
        return members[0] if len(members) == 1 else {"anyOf": members}
    if kind.__name__ not in definitions:
        definitions[kind.__name__] = {}  # a class may refer to itself
        definitions[kind.__name__] = _object_schema(kind, definitions)
    return {"$ref": f"#/$defs/{kind.__name__}"}


def _object_schema(kind: type, definitions: dict[str, Any]) -> dict[str, Any]:
    hints = get_type_hints(kind)
    properties = {
        kinds.file_key(field.name): {
            **_schema_of(hints[field.name], definitions),
            "description": field.metadata["doc"],
        }
        for field in attrs.fields(kind)
    }
    return {"type": "object", "description": kind.__doc__, "properties": properties, "additionalProperties": False}


def _with_templates(value: Any) -> Any:
    """A schema in which every property that is not plain text may be a template instead."""
    if isinstance(value, list):
        return [_with_templates(item) for item in value]
    if not isinstance(value, dict):
        return value
    schema = {key: _with_templates(item) for key, item in value.items()}
    properties = schema.get("properties", {})
    for name, property in properties.items():
        if property.get("type") in ("integer", "number", "boolean") or "enum" in property or "pattern" in property:
            description = property.pop("description")
            template = {"type": "string", "pattern": r"\{[{%]"}
            properties[name] = {"anyOf": [property, template], "description": description}
    return schema
