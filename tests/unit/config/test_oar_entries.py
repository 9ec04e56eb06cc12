"""What an `oar:` entry of launchers.yaml may not hold."""

import pytest

from launchers.config.load import loads
from launchers.files.problems import ConfigError


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("oar: [{nodes: [{properties: {'gpu;--': x}}]}]", "is not the name of a property"),
        ("oar: [{nodes: [{properties: {cluster: 'a\\b'}}]}]", "has a backslash"),
        ("oar: [{queues: {q: {types: [fast]}}}]", "one of besteffort, idempotent, deploy, container"),
        ("oar: [{resources: ['core; DROP']}]", "is not the name of a property"),
        ("oar: [{queue: {}}]", "did you mean queues?"),
    ],
)
def test_what_does_not_load(text, message):
    with pytest.raises(ConfigError, match="error LC1") as caught:
        loads(text)
    assert message in str(caught.value)
