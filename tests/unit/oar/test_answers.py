"""The JSON in what a command of OAR printed."""

import time

import pytest

from launchers.oar.answers import find_document


@pytest.mark.parametrize("text", ['[INFO] hello\n{"a": 1}\n', '[1]\n  {"a": 1}', '{not json\n[2]\n{"a":\n1}\nbye'])
def test_the_first_document_that_fits(text):
    assert find_document(text, lambda document: isinstance(document, dict)) == {"a": 1}


@pytest.mark.no_coverage  # it measures time
@pytest.mark.parametrize("line", ["[\n", "{\n", "[1,\n", '{"a":\n', '["\n', " [[[[\n"])
def test_what_is_no_json_is_refused_in_time(line):
    before = time.process_time()
    with pytest.raises(ValueError, match="no JSON"):
        find_document(line * 100_000, bool)
    assert time.process_time() - before < 5
