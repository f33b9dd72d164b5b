"""Notes travel with the records of a clip, and a note on several clips is told once."""

from shared.clip_notes import group_notes


def test_a_note_on_several_clips_is_told_once_with_the_first_of_them() -> None:
    notes = [("a/1", "x"), ("a/2", "y"), ("b/1", "x"), ("b/2", "x")]
    assert group_notes(notes) == ["3 clips (a/1, ...): x", "a/2: y"]
