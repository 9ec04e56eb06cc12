"""What OAR 2.5.9 and 2.6.1 say when they refuse."""

import pytest

from launchers.commands import Outcome
from launchers.oar.query import ask
from launchers.oar.refusals import refusal_of_oarsub, without_noise

REFUSED = "# There are not enough resources for your request\n# Error: please verify your job submission syntax.\n"
PERL = "Possible precedence problem between ! and pattern match (m//) at /usr/share/perl5/OAR/IO.pm line {}.\n"
WARNINGS = "".join(PERL.format(line) for line in (1963, 2170, 2442))


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("There are not enough resources for your request\n", "limit"),
        (REFUSED, "limit"),
        ("ERROR : The queue nosuch does not exist\n", "closed"),
        ("# Error: queue 'nosuch' does not exist\n", "closed"),
        ('# Bad resource request (ERROR:  column "gpu_model" does not exist\n', "gpu-model"),
        ("# Error: please verify your job submission syntax.\n", ""),
    ],
)
def test_what_a_refusal_is_about(said, code):
    assert refusal_of_oarsub(said) == refusal_of_oarsub(without_noise(said)) == code


def test_the_marks_of_2_6_are_left_out():
    assert without_noise(REFUSED).splitlines()[0] == "There are not enough resources for your request"
    assert without_noise("There are # two\n") == "There are # two"


def test_what_perl_says_of_oar_is_left_out():
    class Broken:
        def run(self, argv, **_):
            return Outcome(tuple(argv), 1, "", WARNINGS + "cannot connect to the database\n")

    assert ask(Broken()) == "oarnodes: cannot connect to the database"
