"""The generated pages do not depend on the machine, the terminal or the environment."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from docs.generate import DOCS, cli_page, generated_pages
from k8s import generate

ROOT = Path(__file__).parents[2]
ELSEWHERE = {"COLUMNS": "40", "TERM": "dumb", "NO_COLOR": "1", "TYPER_USE_RICH": "0", "HOME": "/nowhere", "LANG": "C"}
PRINT = """
import os
os.cpu_count = lambda: 77
from docs.generate import generated_pages
print(repr(list(generated_pages().values())))
"""


def test_pages_are_the_same_everywhere() -> None:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **ELSEWHERE}
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", PRINT], cwd=ROOT, env=environment, capture_output=True, check=True
    )
    assert done.stdout.decode() == f"{list(generated_pages().values())!r}\n"


def test_make_gen_writes_the_pages() -> None:
    assert set(generated_pages()) <= set(generate.generated_files())
    assert all(path.is_relative_to(DOCS) for path in generated_pages())


def test_every_command_has_a_section() -> None:
    app, group = typer.Typer(), typer.Typer()
    app.add_typer(group, name="many")

    @app.callback()
    def settings(env: Annotated[Path | None, typer.Option(help="A file.")] = None) -> None: ...

    @app.command()
    def run(folder: Path, jobs: Annotated[int, typer.Option(min=1, show_default="per core")] = 3) -> None:
        """Do it."""

    @app.command(hidden=True)
    def old() -> None:
        """Gone."""

    @group.command()
    def one(names: Annotated[list[str] | None, typer.Argument(help="Which | all.")] = None, fast: bool = True) -> None:
        """Do one."""

    page = cli_page(app)
    assert "| [`mer run`](#mer-run) | Do it. |" in page
    assert "```text\nmer run [OPTIONS] FOLDER\n```" in page
    assert "| `FOLDER` | path | required |  |" in page
    assert "| `--jobs` | integer ≥ 1 | per core |  |" in page
    assert "## mer many one" in page
    assert "| `NAMES` | text, repeatable |  | Which \\| all. |" in page
    assert "| `--fast` / `--no-fast` |  | `--fast` |  |" in page
    assert "old" not in page
