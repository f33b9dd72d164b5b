"""Rows for a paper's table."""

import pytest

from services.trainer.report.latex_table import escape_latex, render_latex


def rows(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.endswith(r"\\")]


def test_a_row_for_each_learner_and_a_dash_for_what_is_not_predicted(two):
    _, _, said = two()
    head, model, baseline = rows(render_latex(said))
    assert head == r"Method & Protocol & UF1 & UAR & ACC & AU F1 \\"
    assert model == rf"fmer-lite & loso & {said.result.uf1:.3f} & 0.833 & 0.833 & 1.000 \\"
    assert baseline.endswith(r"& 0.333 & -- \\")


def test_several_seeds_give_mean_and_deviation(two):
    _, _, said = two(seeds=2)
    found = said.spread["fmer-lite"].uf1
    assert f"${found.mean:.3f} \\pm {found.sd:.3f}$" in rows(render_latex(said))[1]


def test_what_latex_would_read_as_its_own_is_escaped_and_comments_end_with_their_line(two):
    _, _, said = two()
    protocol = said.protocol.model_copy(update={"name": "100%_a&b", "faults": ("one\ntwo",)})
    text = render_latex(said.model_copy(update={"protocol": protocol}))
    assert r"& 100\%\_a\&b &" in text
    assert "\n% note: one two\n" in text
    for line in text.splitlines():
        assert line.startswith(("%", "\\", "fmer-lite &", "majority &", "Method &")), line
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 1


@pytest.mark.parametrize(
    ("plain", "written"),
    [("a\\b", r"a\textbackslash{}b"), ("{~^}", r"\{\textasciitilde{}\textasciicircum{}\}"), ("a\n b", "a b")],
)
def test_each_sign_is_escaped_once(plain, written):
    assert escape_latex(plain) == written
