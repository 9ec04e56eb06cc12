"""Which texts OAR can be told."""

import pytest

from launchers.oar.quoting import UNQUOTED, folder_problem, label, option_problems, takes_output, unquotable


@pytest.mark.parametrize("character", UNQUOTED)
def test_what_ends_a_quoted_text_is_refused(character):
    for text in (character, f"/a/b{character}", f"{character}c", f"/a{character * 2}b"):
        assert unquotable(text).endswith("in it, which OAR does not quote on its nodes")
    assert folder_problem("run folder", f"/a{character}").startswith(f"the run folder /a{character} has a")
    assert folder_problem("run folder", f"/a{character}").endswith(": use a folder without it")
    assert list(option_problems({"n": f"a{character}", "p": character})) == [
        f"the option n of oarsub, {f'a{character}'!r}, {unquotable(character)}"
    ]


def test_all_else_was_tried_on_a_real_oar():
    fine = "/a b\t;c#d&e|f<g>h*(i)!{j}@k,l:m~n=o%jobid%+é€😀\x1b\n"
    assert not unquotable(fine)
    assert not folder_problem("run folder", fine)


def test_options_are_on_one_line():
    assert not list(option_problems({"p": "gpu_model = 'A''B' AND \"x\" > $1", "t": ["besteffort", "idempotent"]}))
    assert len(list(option_problems({"t": ["besteffort", "a\nb"], "p": "x\x85"}))) == 2


def test_names_of_output_files():
    assert takes_output("/home/me/my logs/a-b_c.d")
    assert not any(map(takes_output, ("/a;b", "/é", "/%jobid%", "/a\\b", "/a\n", "")))


def test_labels():
    assert label("p.a-1_x+@=,:") == "p.a-1_x+@=,:"
    assert label("it's $x\n`é%") == "it_s__x____"
