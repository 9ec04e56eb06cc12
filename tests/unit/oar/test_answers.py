"""The JSON in what a command of OAR printed."""

import time

import pytest

from launchers.oar.answers import find_document


@pytest.mark.parametrize("text", ['[INFO] hello\n{"a": 1}\n', '[1]\n  {"a": 1}', '{not json\n[2]\n{"a":\n1}\nbye'])
def test_the_first_document_that_fits(text):
    assert find_document(text, lambda document: isinstance(document, dict)) == {"a": 1}


def test_lines_of_a_log_are_no_document():
    log = "[INFO] hello\n{tonight}\n[2026-11-28 12:00:00] the cluster is up\n[3]\n" * 3000
    assert find_document(f'{log}{{"a": 1}}', bool) == {"a": 1}


def test_a_document_in_a_list_that_never_ends():
    assert find_document('[\n[\n{"a": [1]}\n', lambda document: isinstance(document, dict)) == {"a": [1]}


@pytest.mark.no_coverage  # it measures time
@pytest.mark.parametrize(
    "text",
    [
        *(line * 200_000 for line in ("[\n", "{\n", "[1,\n", '{"a":\n', '["\n', " [[[[\n", "[\n" + " " * 9)),
        "[\n" * 900 + "1,\n" * 500_000,
        "[\n" * 900 + '{"a": 1},\n' * 100_000,
        "[\n" * 900 + "1,\n" * 500_000 + "1" + "]" * 900,
        "[\n" * 900 + "1,\n" * 500_000 + "9" * 5000,
        "a\n" * 1_000_000 + "[[x\n" * 10_000,
    ],
    ids=lambda text: text[:9] + text[-9:],
)
def test_what_is_no_json_is_refused_in_time(text):
    before = time.process_time()
    with pytest.raises(ValueError, match="no JSON"):
        find_document(text, lambda document: False)
    assert time.process_time() - before < 5
