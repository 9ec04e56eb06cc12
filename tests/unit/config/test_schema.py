"""The JSON Schema of launchers.yaml agrees with the loader."""

import json
from pathlib import Path

import jsonschema
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from launchers.config.load import loads
from launchers.config.schema import Document
from launchers.files.json_schema import json_schema
from launchers.files.problems import ConfigError

EXAMPLE = Path(__file__).resolve().parents[3] / "launchers.example.yaml"
SCHEMA = json_schema(Document, "launchers.yaml")
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
BEYOND_THE_SCHEMA = {"LC103", "LC104", "LC105", "LC109", "LC117", "LC118"}
"""Codes of what is wrong inside of text, which a schema does not see."""

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 100) | st.sampled_from(["24G", "x", "4 days", "tightest", "a b", ""]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["weight", "gpu", "cpu", "zz"]), inner),
    max_leaves=6,
)
KEYS = st.sampled_from(
    [
        "id",
        "weight",
        "tags",
        "choose",
        "cpu",
        "gpu",
        "partitions",
        "features_regex",
        "qos",
        "accounts",
        "sbatch",
        "limits",
        "odd",
    ]
)


@example({"local": [{"weight": False}]})
@settings(max_examples=400, deadline=None)
@given(st.dictionaries(st.sampled_from(["local", "slurm", "oar"]), st.lists(st.dictionaries(KEYS, VALUES), max_size=2)))
def test_the_json_schema_and_the_loader_agree(document):
    """What the schema refuses the loader refuses; the loader also looks into text."""
    valid = VALIDATOR.is_valid(document)
    try:
        loads(json.dumps(document))
    except ConfigError as error:
        if not {problem.code for problem in error.problems} <= BEYOND_THE_SCHEMA:
            assert not valid
    else:
        assert valid


def test_the_json_schema_is_a_schema_and_takes_the_example():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(yaml.safe_load(EXAMPLE.read_text()), SCHEMA)
    assert SCHEMA["title"] == "launchers.yaml"


def test_every_class_and_field_is_documented():
    for name, definition in SCHEMA["$defs"].items():
        assert definition["description"], name
        assert all(field["description"] for field in definition["properties"].values()), name
