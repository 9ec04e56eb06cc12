"""One job or an array: its elements, and which names a step may have."""

import pytest

from launchers.jobs.submission import DEPENDENCY_TYPES, NEEDS_SUCCESS, STEP_NAME, Parent, Submission


def submission(*members, **keys):
    return Submission("s", "token", tuple(members), (), {}, **keys)


def test_one_job_is_no_array():
    one = submission(("a", None))
    assert (one.array, one.steps, one.element(0)) == (False, ("a",), None)


def test_an_array_counts_its_members_from_zero():
    some = submission(("m", 4), ("m", 7))
    assert (some.array, some.steps, [some.element(n) for n in (0, 1)]) == (True, ("m",), [0, 1])


def test_the_steps_of_equal_siblings():
    assert submission(("a", None), ("b", None), ("a", None)).steps == ("a", "b")


@pytest.mark.parametrize("members", [(("m", 4),), (("m", 4), ("m", 7))])
def test_a_script_is_always_an_array(members):
    """Where sbatch numbers its elements, they have the numbers of the items; others count from zero."""
    numbered = submission(*members, script="job.sh")
    assert numbered.array
    assert [numbered.element(n) for n in range(len(members))] == [4, 7][: len(members)]
    counted = submission(*members, script="job.sh", numbered=False)
    assert [counted.element(n) for n in range(len(members))] == [0, 1][: len(members)]


def test_what_a_submission_is_where_nothing_is_said():
    plain = submission(("a", None))
    assert (plain.at_once, plain.barrier, plain.attempt, plain.script, plain.after) == (None, False, 1, None, ())
    assert (plain.numbered, plain.need, plain.seconds) == (True, None, None)
    assert Parent("s", "afterok") == Parent("s", "afterok", None)


@pytest.mark.parametrize("name", ["a", "0", "_", "train_xlm-r", "a.b+c@d=e", "A" * 100])
def test_names_of_steps(name):
    assert STEP_NAME.fullmatch(name)


@pytest.mark.parametrize("name", ["", "-a", ".a", "a b", "a/b", "a~2", "ä", "a\n", "+a", "a:b", "a%"])
def test_names_that_no_folder_or_job_should_have(name):
    assert not STEP_NAME.fullmatch(name)


def test_conditions_in_slurms_words():
    """man sbatch, --dependency."""
    assert dict(DEPENDENCY_TYPES) == {
        "ok": "afterok", "any": "afterany", "failed": "afternotok", "started": "after", "each": "aftercorr",
    }  # fmt: skip
    assert set(NEEDS_SUCCESS) == {"afterok", "aftercorr"}
