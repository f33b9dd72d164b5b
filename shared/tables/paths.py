"""Paths in tables, as people write them and as file systems store them: accents composed or not, other case."""

import os
from pathlib import Path

from shared.tables.cleaning import strip_invisible


def find_path(folder: Path, written: str) -> tuple[Path, str]:
    """The file or folder that a cell means, and a remark if its name is spelled otherwise. The path as written if none.

    Accents may be composed or not: they look the same. Case and invisible characters may differ if only one name fits.
    """
    relative = Path(written.replace("\\", "/"))
    exact = folder / relative
    if relative.is_absolute() or ".." in relative.parts or os.path.exists(exact):  # noqa: PTH110 (Path.exists raises for long names)
        return exact, ""
    found = folder
    for part in relative.parts:
        match = _find_name(found, part)
        if match is None:
            return exact, ""
        found /= match
    same = strip_invisible(str(found.relative_to(folder)))[0] == strip_invisible(str(relative))[0]
    return found, "" if same else f"the path {str(relative)!r} was read as {str(found.relative_to(folder))!r}"


def _find_name(folder: Path, name: str) -> str | None:
    """The only name in a folder that equals `name`, first but for accents' form, then but for case."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 (10,000s of names)
    except (OSError, ValueError):
        return None
    plain = strip_invisible(name)[0]
    composed = [other for other in names if other == name] or [
        other for other in names if strip_invisible(other)[0] == plain
    ]
    matches = composed or [other for other in names if strip_invisible(other)[0].casefold() == plain.casefold()]
    return matches[0] if len(matches) == 1 else None
