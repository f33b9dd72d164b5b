"""The page and the model card: what stands on them, and that names from sheets stay text."""

import base64
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from services.trainer.report.html_page import escape_markdown, render_model_card, render_page
from services.trainer.report.model import MisclassifiedClips, SubjectAccuracy
from shared.training.annotations import PAPER_UNITS

VOID = {"meta", "img", "br", "wbr", "link"}


class Checked(HTMLParser):
    """Counts tags, and refuses what is not closed where it was opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.seen.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, (tag, self.getpos())


def test_the_page_is_whole_and_stands_alone(two):
    features, _, said = two()
    text = render_page(said, features)
    seen = Checked(text).seen
    assert "script" not in seen
    assert not re.search(r"""(?:src|href)=["'](?!data:)|url\(|@import""", text)
    drawn = [part.split('"')[0] for part in text.split("data:image/svg+xml;base64,")[1:]]
    assert [ElementTree.fromstring(base64.b64decode(each)).tag for each in drawn] == ["{http://www.w3.org/2000/svg}svg"]
    assert f"{said.result.uf1:.3f}" in text
    assert said.data.digest in text


def test_mean_and_deviation_head_the_page_where_there_are_several_seeds(two):
    features, _, one = two()
    assert "± 0." not in render_page(one, features)
    features, _, said = two(seeds=2)
    found = said.spread["fmer-lite"].uf1
    assert f"<b>{found.mean:.3f} <small>± {found.sd:.3f}</small></b>" in render_page(said, features)
    assert "2 seeds (0, 1)" in render_page(said, features)


def test_a_learner_without_a_head_for_units_is_said_not_to_predict_them(two, toy):
    features, _, said = two(replace(toy(2, 3), units=PAPER_UNITS))
    text = render_page(said, features)
    assert text.count("not predicted") == 9 + 1  # a cell per unit, one in the table of learners
    assert text.count("does not occur") == 3  # units that nobody shows, of the model


def test_a_page_without_oracle_curves_and_baselines_still_renders(two):
    features, _, said = two(trained=0)
    none = MisclassifiedClips(total=0, tested=6, shown=())
    text = render_page(said.model_copy(update={"baselines": {}, "oracle": None, "mistakes": none}), features)
    Checked(text)
    assert "Oracle" not in text
    assert "<h2>Training</h2>" not in text
    assert "None of 6 clips." in text


def test_what_to_mind_and_what_was_left_out_is_told(two, toy):
    features = replace(toy(2, 3), left_out={"fear": 2})
    _, _, said = two(features, faults=["s3/c1: no face."])
    changed = {"left_out": {"fear": 1, "no apex": 4}, "faults": ("counts differ",), "remark": "as in MEGC"}
    said = said.model_copy(update={"protocol": said.protocol.model_copy(update=changed)})
    for text in (render_page(said, features), render_model_card(said)):
        assert "counts differ" in text
        assert "s3/c1: no face." in text
        assert re.search(r"fear:? 3", text)
    assert "as in MEGC" in render_page(said, features)


def test_pooled_datasets_have_figures_of_their_own(two, toy):
    plain = toy(2, 3)
    features = replace(plain, subjects=plain.subjects.copy(), names=plain.names.copy())
    features.subjects[3:] = "samm/s01"
    features.names[3:] = [name.replace("toy/", "samm/") for name in plain.names[3:].tolist()]
    _, _, said = two(features)
    assert "Figures by dataset" in render_page(said, features)
    assert said.per_dataset["fmer-lite"]["samm"].samples == 3
    assert "Figures by dataset" not in render_page(two(plain)[2], plain)


def test_a_hundred_subjects_are_sorted_from_the_least(two, toy):
    features = toy(2, 3)
    _, _, said = two(features)
    people = [SubjectAccuracy(subject=f"toy/p{i:03}", samples=3, accuracy=(i * 37 % 101) / 101) for i in range(101)]
    result = said.result.model_copy(update={"per_subject": people})
    shown = re.findall(r'<span title="(toy/p\d+)">', render_page(said.model_copy(update={"result": result}), features))
    assert shown == [each.subject for each in sorted(people, key=lambda each: each.accuracy)]


def test_misclassified_clips_show_their_motion_and_no_face_unless_asked(two):
    features, _, said = two()
    plain, faces = render_page(said, features), render_page(said, features, faces=True)
    assert plain.count('alt="Motion of toy/s01/c02"') == 1
    assert "Frame of" not in plain
    assert "Frames of faces are personal data" in plain
    assert faces.count('alt="Frame of toy/s01/c02"') == 1
    assert "This page shows frames of faces" in faces
    assert "predicted happiness, 0.600" in plain
    none = replace(features, arrays={"clip": features.arrays["clip"]})
    assert "Motion of" not in render_page(said, none)
    assert "have no motion maps" in render_page(said, none)


@pytest.mark.parametrize("write", [render_page, lambda report, features: render_model_card(report)])
def test_names_from_a_coding_sheet_stay_text(two, toy, write):
    features = replace(toy(2, 3), classes=("<script>x", "a|b", "c\n# d"))
    text = write(two(features)[2], features)
    assert "<script>" not in text
    assert "\n# d" not in text or "<html" in text


def test_markdown_is_escaped():
    assert escape_markdown("a|b\n*c* <i>") == r"a\|b \*c\* &lt;i>"


def test_the_card_says_what_it_is_for_and_what_not(two):
    _, _, said = two(seeds=2)
    text = render_model_card(said)
    assert "## Prohibited use" in text
    assert "300-W, whose licence excludes commercial use" in text
    assert said.data.digest in text
    found = said.spread["fmer-lite"].uf1
    low, high = said.result.interval.uf1
    assert f"| fmer-lite | {found.mean:.3f} ± {found.sd:.3f} | {low:.3f} – {high:.3f} |" in text
    assert "Fewer than ten clips show disgust, happiness, surprise" in text
    assert "\n\n\n" not in text
