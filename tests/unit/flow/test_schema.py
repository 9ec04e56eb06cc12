"""The JSON Schema of flows, which editors use, holds for what is read."""

import json

import jsonschema
import pytest
import yaml
from flows import EVERYTHING, job, page

from launchers.cli import main


@pytest.fixture
def errors(capsys):
    assert main(["schema", "--flow"]) == 0
    schema = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    return lambda text: [error.json_path for error in validator.iter_errors(yaml.safe_load(text))]


def test_what_is_read_is_valid(errors):
    assert errors(EVERYTHING.replace(" on:", ' "on":')) == []  # to YAML 1.1, which PyYAML reads, `on` is true
    assert errors(page(job(nodes="{{ n }}"))) == []


def test_what_is_refused_is_not(errors):
    assert errors(page(job(nodes="two"))) == ["$.jobs[0].nodes"]
    assert errors(page(job(nods=2))) == ["$.jobs[0]"]
