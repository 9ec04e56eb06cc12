"""What OAR 2.5.9 and 2.6.1 say when they refuse."""

import pytest

from launchers.commands import Outcome
from launchers.oar.refusals import is_transient, oar_complaint, refusal_of_oarsub, without_noise

REFUSED = "# There are not enough resources for your request\n# Error: please verify your job submission syntax.\n"
PERL = "Possible precedence problem between ! and pattern match (m//) at /usr/share/perl5/OAR/IO.pm line {}.\n"
WARNINGS = "".join(PERL.format(line) for line in (1963, 2170, 2442))


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("There are not enough resources for your request\n", "limit"),
        (REFUSED, "limit"),
        ("ERROR : The queue nosuch does not exist\n", "closed"),
        ("# Error: queue 'nosuch' does not exist\n", "closed"),
        ("Walltime too big for this queue\n", "duration"),
        ("the walltime will exceed the limit\n", "duration"),
        ('# Bad resource request (ERROR:  column "gpu_model" does not exist\n', "gpu-model"),
        ('# Bad resource request (ERROR:  column "gpus" does not exist\n', ""),
        ("# Error: please verify your job submission syntax.\n", ""),
    ],
)
def test_what_a_refusal_is_about(message, code):
    assert refusal_of_oarsub(message) == refusal_of_oarsub(without_noise(message)) == code


@pytest.mark.parametrize(
    ("message", "transient"),
    [
        ("[ERROR] Cannot connect to executor localhost:6666. Job is killed.", True),
        ("[error] [IOlib] Cannot connect to database (type=Pg, host=127.0.0.1): Connection refused", True),
        ("FATAL: too many clients already", True),
        ("There are not enough resources for your request", False),
        ("/!\\ Invalid stdout file name (bad character)", False),
    ],
)
def test_what_can_be_tried_again(message, transient):
    assert is_transient(message) is transient


def test_the_marks_of_2_6_are_left_out():
    assert without_noise(REFUSED).splitlines()[0] == "There are not enough resources for your request"
    assert without_noise("There are # two\n") == "There are # two"


PLACE = "at /usr/share/perl5/OAR/IO.pm line 7."
LOCALE = """perl: warning: Setting locale failed.
perl: warning: Please check that your locale settings:
\tLC_ALL = "xx_XX.UTF-8",
\tLANG = (unset)
    are supported and installed on your system.
perl: warning: Falling back to the standard locale ("C").
"""


@pytest.mark.parametrize(
    ("stderr", "complaint"),
    [
        (WARNINGS + "# cannot connect\n", "cannot connect"),
        (WARNINGS, "exit status 1"),
        (LOCALE + WARNINGS, "exit status 1"),
        (LOCALE + "There are not enough resources\n", "There are not enough resources"),
        (f"Use of uninitialized value $x in string eq at (eval 4) line 2, <DATA> line 9.\nno\n{WARNINGS}", "no"),
        (f"Something new {PLACE}\n# no\n", "no"),
        (f"given is deprecated {PLACE}\nCan't locate DBI.pm in @INC {PLACE}\n", f"Can't locate DBI.pm in @INC {PLACE}"),
        (f"Something new {PLACE}\n", f"Something new {PLACE}"),
        (f'Can\'t exec "ssh": no such file {PLACE}\nno\n', f'Can\'t exec "ssh": no such file {PLACE}; no'),
        (f"DBD::Pg::st execute failed: timeout {PLACE}\nno\n", f"DBD::Pg::st execute failed: timeout {PLACE}; no"),
        ("the site wants a project at (eval 3) line 4.\n", "the site wants a project at (eval 3) line 4."),
        (
            '# Bad (ERROR:  column "x"\nLINE 1: SELECT x\n               ^\n# verify\n',
            'Bad (ERROR:  column "x"; verify',
        ),
    ],
)
def test_what_perl_says_beside_it_is_left_out_and_nothing_else(stderr, complaint):
    assert oar_complaint(Outcome(("oarstat",), 1, "", stderr)) == complaint
