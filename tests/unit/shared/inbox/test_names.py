"""Names that may be uploaded, and in which order."""

import pytest

from shared.inbox.names import dataset_name_fault, name_fault, upload_rank


@pytest.mark.parametrize("name", ["a/b.jpg", "ü é/Ω.png", "film 1.mp4", "..a/b..c"])
def test_a_name_that_a_folder_can_have_is_fine(name: str) -> None:
    assert name_fault(name) == ""


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("../outside", "'..'"),
        ("/etc/passwd", "empty part"),
        ("a//b", "empty part"),
        ("a/./b", "'.'"),
        ("", "empty part"),
        ("a\nb", "control characters"),
        ("a\x7fb", "control characters"),
        ("a\0b", "control characters"),
        ("x" * 256, "255 bytes"),
        ("é" * 128, "255 bytes"),
        ("a/" * 600 + "b", "1024"),
        ("\udcff", "no Unicode text"),
    ],
)
def test_a_name_that_nothing_can_have_is_told_why(name: str, said: str) -> None:
    assert said in name_fault(name)


@pytest.mark.parametrize("name", ["", "a/b", ".hidden", "..", "~$x", "a\tb"])
def test_a_dataset_is_one_visible_folder(name: str) -> None:
    assert dataset_name_fault(name)


def test_frames_come_first_and_what_completes_a_dataset_last() -> None:
    names = ["D/clips.csv", "D/merstream.json", "D/s1/a/1.jpg", "D.zip", "D/more.zip", "D/Sheet.XLSX"]
    assert sorted(names, key=upload_rank) == [
        *("D/s1/a/1.jpg", "D/more.zip", "D/merstream.json"),
        *("D/clips.csv", "D.zip", "D/Sheet.XLSX"),
    ]
