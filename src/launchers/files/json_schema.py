"""JSON Schemas of our files, made from the classes that are their schema, for editors that complete and check."""

from __future__ import annotations

import types
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import attrs

from launchers.config import schema
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


def json_schema(
    kind: type = schema.Document, title: str = "launchers.yaml", *, templates: bool = False
) -> dict[str, Any]:
    """The schema as JSON Schema 2020-12; of launchers.yaml, or of another file that is read the same way.

    With `templates` a Jinja2 template may stand for anything that is not text.
    """
    definitions: dict[str, Any] = {}
    root = _of(kind, definitions)
    if templates:
        definitions = _with_templates(definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        **root,
        "$defs": definitions,
    }


def _of(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    if kind in _VALUES:
        return dict(_VALUES[kind])
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is tuple:
        return {"type": "array", "items": _of(arguments[0], definitions)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _of(arguments[1], definitions)}
    if origin in (Union, types.UnionType):
        members = [one for one in arguments if one is not type(None)]
        return _of(members[0], definitions) if len(members) == 1 else {"anyOf": [_of(m, definitions) for m in members]}
    if kind.__name__ not in definitions:
        definitions[kind.__name__] = {}
        definitions[kind.__name__] = _class(kind, definitions)
    return {"$ref": f"#/$defs/{kind.__name__}"}


def _class(kind: type, definitions: dict[str, Any]) -> dict[str, Any]:
    hints = get_type_hints(kind)
    properties = {
        kinds.file_key(one.name): {**_of(hints[one.name], definitions), "description": one.metadata["doc"]}
        for one in attrs.fields(kind)
    }
    return {"type": "object", "description": kind.__doc__, "properties": properties, "additionalProperties": False}


def _with_templates(value: Any) -> Any:
    """A schema in which a template may stand wherever a key's value is not text anyway."""
    if isinstance(value, list):
        return [_with_templates(one) for one in value]
    if not isinstance(value, dict):
        return value
    found = {key: _with_templates(one) for key, one in value.items()}
    properties = found.get("properties", {})
    for name, one in properties.items():
        if one.get("type") in ("integer", "number", "boolean") or "enum" in one or "pattern" in one:
            said = one.pop("description")
            properties[name] = {"anyOf": [one, {"type": "string", "pattern": r"\{[{%]"}], "description": said}
    return found
