"""`mer evaluate`: figures of the shipped model on a table of one's own, and the file with every clip."""

import json
from pathlib import Path

import numpy as np
import pytest

from merstream.app import main
from merstream.shipped_model.map_drawing import draw_maps_of_faces
from services.trainer.recogniser.labels import CLASS_OF_FINE, FINE_CLASSES


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Drawn maps of two faces in two datasets; one clip is labelled `others`."""
    drawn, lines = draw_maps_of_faces(91, range(1, 3), 20), ["dataset,subject,clip,label,path"]
    for number, (values, fine, face) in enumerate(zip(drawn.aligned, drawn.fine, drawn.faces, strict=True)):
        if 0 <= fine < len(FINE_CLASSES):
            np.savez(tmp_path / f"{number}.npz", maps=values)
            lines.append(f"lab{face},s1,c{number},{CLASS_OF_FINE[FINE_CLASSES[fine]]},{number}.npz")
    lines[-1] = lines[-1].replace("negative", "others").replace("positive", "others").replace("surprise", "others")
    (tmp_path / "samples.csv").write_text("\n".join(lines))
    return tmp_path / "samples.csv"


def evaluate(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", *arguments])
    return int(ended.value.code or 0)


def test_figures_are_printed_and_every_clip_is_written(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = table.parent / "deep" / "evaluation.json"
    assert evaluate("--model", "shipped", "--features", str(table), "--out", str(out)) == 0
    found, printed = json.loads(out.read_text()), capsys.readouterr().out
    rows = table.read_text().splitlines()[1:]
    assert found["figures"]["clips"] == len(found["clips"]) == len(rows) - 1
    assert found["left_out"] == {"lab2: label others": 1}
    assert sorted(found["by_dataset"]) == ["lab1", "lab2"]
    assert found["figures"]["uf1"] > 0.75
    assert f"{found['figures']['uf1']:.3f} [" in printed
    assert "left out 1 clips: lab2: label others" in printed
    assert found["model"] == "shipped"


def test_what_cannot_be_scored_is_told(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ("--out", str(table.parent / "evaluation.json"))
    assert evaluate("--features", str(table), "--model", str(table.parent / "no-run"), *out) == 1
    assert "expected `shipped` or a folder of a run" in " ".join(capsys.readouterr().err.split())
    table.write_text(table.read_text().replace("negative", "tense"))
    assert evaluate("--features", str(table), *out) == 1
    assert "got 'tense'" in " ".join(capsys.readouterr().err.split())
    assert not (table.parent / "evaluation.json").exists()
