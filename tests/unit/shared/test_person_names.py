"""Which names may be one person, and which are not."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.person_names import find_spellings, parse_person_name

PREFIXES = (
    "",
    "s",
    "S",
    "P",
    "sub",
    "Subject",
    "subj",
    "vp",
    "participant",
    "Proband",
    "ID",
    "No. ",
    "spNO.",
    "subjectNo",
)
SEPARATORS = ("", " ", "_", "-", ".", "\u00a0", "__")
SUFFIXES = ("_s2", "-session2", "_t1", "_v2", " (2)", "_ses-02", "_day2", "-run1", "_2nd", "_20230412", " copy", "b")
numbers = st.integers(0, 400)


def same(*names: str, dataset: str = "lab") -> bool:
    """Whether all names are one person."""
    people = [(dataset, name) for name in names]
    return find_spellings(people) == [sorted(people)]


def full_width(text: str) -> str:
    return "".join(chr(ord(sign) + 0xFEE0) if sign.isascii() and sign.isdecimal() else sign for sign in text)


@st.composite
def spellings(draw: st.DrawFn) -> str:
    """A way of writing a number as a person's name, as a format with the place {}."""
    prefix = draw(st.sampled_from(PREFIXES))
    separator = draw(st.sampled_from(SEPARATORS)) if prefix.rstrip(". ") == prefix else ""
    return f"{prefix}{separator}{{}}{draw(st.sampled_from(('', *SUFFIXES)))}"


@given(spellings(), spellings(), numbers, st.integers(1, 4), st.integers(1, 4), st.booleans())
def test_any_two_spellings_of_one_number_are_one_person(one, other, number, digits, more, wide) -> None:
    first, second = one.format(f"{number:0{digits}}"), other.format(f"{number:0{more}}")
    second = full_width(second) if wide else second
    if first != second:
        assert same(first, second.upper() if number % 2 else second)


@given(spellings(), numbers, numbers)
def test_two_numbers_in_one_style_are_two_people(style, one, other) -> None:
    if one != other:
        assert find_spellings({("lab", style.format(one)), ("lab", style.format(other))}) == []


@given(st.text(min_size=1, max_size=8), st.text(max_size=4))
def test_any_name_is_parsed_and_its_unicode_forms_are_one_person(name, dataset) -> None:
    for form in ("NFC", "NFD", "NFKC"):
        written = unicodedata.normalize(form, name)
        if written != name and written.strip():
            assert same(name, written, dataset=dataset) or not any(map(str.isalnum, name))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sub01", "1"),
        ("01", "1"),
        ("P_01", "P01"),
        ("P01", "P 01"),
        ("s-1", "s1"),
        ("1", "1.0"),
        ("1", "1,0"),
        ("01", "01_s2"),
        ("\uff30\uff10\uff11", "p1"),
        ("\u0663", "s3"),
        ("M\u00fcller", "mu\u0308ller"),
        ("\u88ab\u8bd501", "1"),
        ("ses-02_sub-01", "sub-01_ses-01"),
        ("Anna", "anna_session2"),
        ("Anna day 1", "Anna day 2"),
        ("session1_05", "session2_05"),
        ("Anna", "Anna (2)"),
        ("participant_Anna", "anna"),
        ("A_sub_01", "A1"),
        ("P01V1", "P01V2"),
        ("lab_01", "1"),
        ("K01", "1"),
        ("01_morning", "01_evening"),
        ("01", "01a"),
        ("01a", "01b"),
        ("1_1", "1_2"),
        ("P01_2023-05-01", "P01_2023-06-02"),
        ("20230501_P01", "20230602_P01"),
        ("s01", "s01_flipped"),
        ("s01_aug1", "s01_cropped"),
        ("s01.mp4", "s01"),
        ("s01_happy", "s01"),
        ("S01M", "S01"),
        ("M\u00fcller", "Muller"),
        ("Anna Schmidt", "Schmidt, Anna"),
        ("\u042001", "P01"),
        ("Proband 1", "Pbn01"),
    ],
)
def test_one_person(one: str, other: str) -> None:
    assert same(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("C01", "P01"),
        ("A1", "B1"),
        ("s1", "s11"),
        ("s1", "s1.1.1"),
        ("g1_s1", "g1_s2"),
        ("site1_01", "site1_02"),
        ("001-A-01", "001-A-02"),
        ("anna1", "anna2"),
        ("control_s1", "control_s2"),
        ("pilot_test_01", "pilot_test_02"),
        ("part1_001", "part2_001"),
        ("01_control", "01_patient"),
        ("01f", "01m"),
        ("S. Miller", "P. Miller"),
        ("\u0930\u093e\u092e", "\u0930\u092e\u093e"),
        ("?", "??"),
        ("pair1_A", "pair1_B"),
        ("20230501_1", "20230501_2"),
        ("s01_happy", "s01_sad"),
    ],
)
def test_two_people(one: str, other: str) -> None:
    assert find_spellings([("lab", one), ("lab", other)]) == []


def test_numbers_of_people_in_groups_are_not_sessions() -> None:
    """More numbers than groups, and one above nine. A year or a site in front of the number is a group too."""
    assert find_spellings(("lab", f"2023-{number:03}") for number in range(1, 20)) == []
    assert find_spellings(("lab", f"{group}_{number}") for group in (1, 2) for number in range(1, 13)) == []
    sessions = find_spellings(("lab", f"{person}_{number}") for person in range(1, 10) for number in (1, 2))
    assert [len(names) for names in sessions] == [2] * 9
    assert find_spellings([("lab", "2023"), *(("lab", f"2023-{number}") for number in range(1, 20))])


def test_controls_beside_patients_are_other_people() -> None:
    """Letters in front of a number say nothing only where all other names are bare numbers."""
    patients = [("lab", f"P{number:02}") for number in range(1, 9)]
    controls = [("lab", f"C{number:02}") for number in range(1, 9)]
    assert find_spellings(patients + controls) == []
    assert find_spellings([*controls, ("lab", "P1"), ("lab", "1")]) == [[("lab", "1"), ("lab", "P1")]]
    assert find_spellings([("lab", "A1"), ("lab", "B1"), ("lab", "1")]) == []


def test_a_long_name_takes_no_time() -> None:
    """Its end matches no session, and the expression does not try every division of what is before it."""
    long = "1" + "_run_1_20230101" * 2000
    assert find_spellings([("lab", f"{long}_x"), ("lab", f"{long}_y"), ("lab", "sub" * 5000 + "x")]) == []


def test_a_name_says_its_parts() -> None:
    parts = parse_person_name("Group 2, Subject 07 (session 3)")
    assert (parts.group, parts.core, parts.suffix) == ("group", ("2", "7"), "")
    assert parse_person_name("casme2_sub05", "CASME 2") == parse_person_name("05") == parse_person_name("5.0")
