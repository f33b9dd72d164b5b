from collections.abc import Callable
from pathlib import Path

import pytest

from services.ingest.catalogue.entry import ClipProblem, FoundClip
from services.ingest.discover import discover_clips
from services.ingest.source_packing import pack_source
from shared.errors import BadData

Write = Callable[..., Path]
HEADER = "dataset,subject,clip,path,onset,apex,offset,fps,emotion,aus"


def dataset(folder: Path, *lines: str, encoding: str = "utf-8") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "clips.csv").write_bytes("\r\n".join(lines).encode(encoding))
    return folder


def only(folder: Path) -> FoundClip:
    (clip,) = discover_clips(folder)
    assert isinstance(clip, FoundClip), clip
    return clip


def sentence(folder: Path) -> str:
    (clip,) = discover_clips(folder)
    assert isinstance(clip, ClipProblem)
    return clip.sentence


def test_a_folder_of_frames(tmp_path: Path, write_frames: Write) -> None:
    write_frames(tmp_path / "a" / "frames", (9, 10, 11), "frame-{:04}.png")
    clip = only(dataset(tmp_path, HEADER, "lab,p1,smile,a/frames,9,10,11,120,Happiness,6+12"))
    assert clip.sample.identity == "lab/p1/smile"
    assert [file.name for file in clip.files] == ["frame-0009.png", "frame-0010.png", "frame-0011.png"]
    assert (clip.fps, clip.sample.emotion, clip.cropped, clip.kind) == (120.0, "happiness", False, "frames")


def test_a_video_and_blank_labels(tmp_path: Path) -> None:
    (tmp_path / "v.MP4").write_bytes(b"video")
    clip = only(dataset(tmp_path, HEADER, "lab,p1,v,v.MP4,15,,35,30,,", ",,,,,,,,,"))
    assert (clip.files, clip.numbers, clip.kind) == ((tmp_path / "v.MP4",), (0,), "video")
    assert (clip.onset, clip.apex, clip.offset) == (15, None, 35)
    assert (clip.sample.emotion, clip.sample.aus) == (None, ())


def test_a_spreadsheet_that_writes_semicolons_marks_and_backslashes(tmp_path: Path, write_frames: Write) -> None:
    write_frames(tmp_path / "ä" / "b", (1, 2), "{}.jpg")
    lines = [HEADER.replace(",", ";") + ";cropped", "lab;1;c;ä\\b;1;2;2;200;Überraschung;1+2;yes"]
    clip = only(dataset(tmp_path, *lines, encoding="utf-8-sig"))
    assert (clip.sample.emotion, clip.cropped) == ("überraschung", True)


def test_a_blank_dataset_is_that_of_the_folder(tmp_path: Path, write_frames: Write) -> None:
    write_frames(tmp_path / "Labor Köln" / "f", (1, 2))
    for blank in ("", "NaN"):
        assert (
            only(dataset(tmp_path / "Labor Köln", HEADER, f"{blank},1,c,f,1,2,2,200,,")).sample.dataset == "Labor Köln"
        )


def test_equal_clip_names_of_two_subjects_are_two_clips(tmp_path: Path, write_frames: Write) -> None:
    write_frames(tmp_path / "f", (1, 2))
    clips = list(discover_clips(dataset(tmp_path, HEADER, "lab,1,c,f,1,2,2,200,,", "lab,2,c,f,1,2,2,200,,")))
    assert all(isinstance(clip, FoundClip) for clip in clips)


def test_an_apex_outside_the_clip_counts_as_absent_and_is_noted(tmp_path: Path, write_frames: Write) -> None:
    write_frames(tmp_path / "f", (1, 2, 3))
    clip = only(dataset(tmp_path, HEADER, "lab,1,c,f,1,30,3,200,,"))
    assert clip.apex is None
    assert clip.notes == ("the coded apex 30 lies outside onset 1 to offset 3 and was treated as absent",)


def test_doubtful_labels_are_noted_apart_from_the_frames(tmp_path: Path, write_frames: Write) -> None:
    write_frames(tmp_path / "f", (1, 2))
    clip = only(dataset(tmp_path, HEADER, "lab,1,c,f,1,2,2,200,,4 or 7"))
    assert clip.notes == ()
    assert clip.label_notes == ("clips.csv row 2: action units '4 or 7': doubtful, all units named were kept",)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("lab,1,c,f,3,2,1,200,,", "expected onset before offset, got onset 3 and offset 1; correct the cells."),
        (
            "lab,1,c,f,2,2,2,200,,",
            "expected a clip of two frames or more, got one (onset = offset = 2); correct the cells.",
        ),
        ("lab,1,c,f,one,2,3,200,,", "expected a whole frame number in the onset, got 'one'; correct the cell."),
        ("lab,1,c,f,1,top,3,200,,", "expected a whole frame number in the apex, got 'top'; correct the cell."),
        ("lab,1,c,f,1,2,3,,,", "expected frames per second above 0 in fps, got ''; correct the cell."),
        ("lab,,c,f,1,2,3,200,,", "expected a subject, got an empty cell; fill it in or delete the row."),
        (
            "lab,nan,c,f,1,2,3,200,,",
            "expected a subject, got 'nan', which tables write for a missing value; fill it in or delete the row. "
            "If it is a name, write it in another way.",
        ),
        ("lab,1,c,g,1,2,3,200,,", "expected the clip at g, got nothing there; copy it or correct the row."),
        ("lab,1,c,f", "expected a whole frame number in the onset, got an empty cell; correct the cell."),
    ],
)
def test_a_row_that_cannot_be_used(tmp_path: Path, write_frames: Write, line: str, message: str) -> None:
    write_frames(tmp_path / "f", (1, 2, 3))
    assert sentence(dataset(tmp_path, HEADER, line)) == f"clips.csv row 2: {message}"


@pytest.mark.parametrize("path", ["../secret", "/etc", "", "."])
def test_paths_out_of_the_dataset_are_refused(tmp_path: Path, write_frames: Write, path: str) -> None:
    write_frames(tmp_path / "secret", (1, 2))
    folder = dataset(tmp_path / "set", HEADER, f"lab,1,c,{path},1,2,2,200,,")
    assert "expected a path inside the dataset" in sentence(folder)


def test_a_file_that_is_neither_frames_nor_video(tmp_path: Path) -> None:
    (tmp_path / "clip.txt").write_text("x")
    folder = dataset(tmp_path, HEADER, "lab,1,c,clip.txt,1,2,2,200,,")
    assert "expected a folder of frames or a video (.avi" in sentence(folder)


def test_a_column_is_missing(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"^clips.csv row 1: expected the columns .* without 'fps'; add them"):
        discover_clips(dataset(tmp_path, HEADER.replace(",fps", "")))


def test_an_empty_csv(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="got an empty file without 'dataset'"):
        discover_clips(dataset(tmp_path, ""))


def test_a_csv_that_is_not_utf8(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"^clips.csv: expected UTF-8 text, got .* save it as UTF-8\.$"):
        discover_clips(dataset(tmp_path, HEADER, "lab,1,ä,f,1,2,2,200,,", encoding="latin-1"))


def test_a_row_may_name_its_face(tmp_path: Path, write_frames: Write) -> None:
    write_frames(tmp_path / "f", (1, 2), "{}.png")
    rows = [f"lab,p1,c{place},f,1,2,2,30,,,{face}" for place, face in enumerate(("", " Left", '"480, 200"', "middle"))]
    blank, left, point, wrong = discover_clips(dataset(tmp_path, f"{HEADER},face", *rows))
    assert [clip.face for clip in (blank, left, point) if isinstance(clip, FoundClip)] == ["", "left", "480, 200"]
    assert isinstance(wrong, ClipProblem)
    assert wrong.sentence.startswith("clips.csv row 5: expected the face as left, right, largest or a point in it")
    packed = [pack_source(clip) for clip in (blank, left) if isinstance(clip, FoundClip)]
    assert "face" not in packed[0]
    assert packed[1]["face"].item() == "left"
    assert {name: array.tolist() for name, array in packed[0].items()} == {
        name: array.tolist() for name, array in packed[1].items() if name != "face"
    }
