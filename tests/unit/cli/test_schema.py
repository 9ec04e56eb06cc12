"""`launchers schema` prints the JSON Schema of launchers.yaml, or of a flow."""

import json

import pytest

from launchers.cli import main
from launchers.config.schema import Document
from launchers.files.json_schema import json_schema
from launchers.flow.schema import FlowDocument


@pytest.mark.parametrize(
    ("options", "schema"),
    [
        ([], json_schema(Document, "launchers.yaml")),
        (["--flow"], json_schema(FlowDocument, "flow", templates=True)),
    ],
)
def test_the_schema(capsys, options, schema):
    assert main(["schema", *options]) == 0
    assert json.loads(capsys.readouterr().out) == schema
