"""What a step calls."""

import functools

import pytest

from launchers.runs.call import Command, ResultOf, StepCommandError, fill_results, function_name


def test_results_are_filled_in_wherever_they_are():
    class Own(list):
        pass

    own = Own([ResultOf("a")])
    value = [ResultOf("a"), (ResultOf("b"), 1), {"k": ResultOf("a"), "l": [ResultOf("b")]}, "a", own]
    assert fill_results(value, str.upper) == ["A", ("B", 1), {"k": "A", "l": ["B"]}, "a", own]
    assert own[0] == ResultOf("a")
    assert fill_results(ResultOf("a"), str.upper) == "A"


def test_a_command(tmp_path):
    path = tmp_path / "out"
    command = Command(("sh", "-c", f'echo "$0" "$@" > {path}', "zero"))
    assert command() == 0
    assert path.read_text() == "zero\n"
    assert command("one", 2) == 0
    assert path.read_text() == "zero one 2\n"


@pytest.mark.parametrize(
    ("script", "status", "message"),
    [("exit 3", 3, "exit status 3"), ("kill -9 $$", -9, "ended by signal 9"), ("exit 1", 1, "exit status 1")],
)
def test_a_command_that_fails(script, status, message):
    with pytest.raises(StepCommandError, match=message) as caught:
        Command(("sh", "-c", script))()
    assert caught.value.status == status


def test_what_a_function_is_called():
    assert function_name(Command(("ls", "-l"))) == "ls -l"
    assert function_name(str.upper) == "str.upper"
    assert function_name(functools.partial(max, 1)) == "partial"
