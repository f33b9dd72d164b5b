"""Notes travel with the records of a clip, and what holds for several clips is told once."""

from shared.clip_notes import group_notes, summarise_notes


def test_a_note_on_several_clips_is_told_once_with_the_first_of_them() -> None:
    notes = [("a/1", "x"), ("a/2", "y"), ("b/1", "x"), ("b/2", "x")]
    assert group_notes(notes) == ["3 clips (a/1, ...): x", "a/2: y"]


def test_notes_that_differ_in_numbers_alone_are_one() -> None:
    spotted = ["a/1: spotted at frame 12", "a/2: spotted at frame 7", "b row 4: spotted at frame 9"]
    assert summarise_notes([*spotted, "a/3: 16 bits", "x", "y"]) == [
        "a/1: spotted at frame 12 (2 more differ in numbers alone)",
        "a/3: 16 bits",
        "x",
        "y",
    ]
