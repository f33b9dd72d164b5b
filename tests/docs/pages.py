"""The pages of the docs: their fenced blocks by tag, and the shell commands in a block."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]

FENCE = re.compile(r"^(?P<indent> *)```(?P<tag>[^`\n]*)\n(?P<code>.*?)^(?P=indent)```[ ]*$", re.MULTILINE | re.DOTALL)
ASSIGNMENT = re.compile(r"[A-Z_][A-Z0-9_]*=.*", re.DOTALL)


class Block(NamedTuple):
    """A fenced block of a page, without the indent of the list that it may be part of."""

    page: str
    line: int
    tag: str
    code: str


def tracked_pages() -> list[str]:
    """Every *.md that git knows, by its path in the checkout."""
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [page for page in listed.stdout.splitlines() if (ROOT / page).exists()]


PAGES = tracked_pages()
PROSE = [page for page in PAGES if page in ("README.md", "CONTRIBUTING.md") or page.startswith("docs/")]


@cache
def read_page(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks_of(page: str) -> list[Block]:
    text = read_page(page)
    return [
        Block(
            page,
            text.count("\n", 0, found.start()) + 1,
            found["tag"].strip(),
            re.sub(rf"^{found['indent']}", "", found["code"], flags=re.MULTILINE),
        )
        for found in FENCE.finditer(text)
    ]


def blocks_tagged(*tags: str) -> list[Block]:
    return [block for page in PROSE for block in blocks_of(page) if block.tag in tags]


def name_of(block: Block) -> str:
    return f"{block.page}:{block.line}"


def pages_with(tag: str) -> list[str]:
    return [page for page in PROSE if any(block.tag == tag for block in blocks_of(page))]


def commands_of(code: str) -> Iterator[list[str]]:
    """Each simple command of a shell text as words, without what is assigned before it."""
    text = re.sub(r"\\\n", " ", code).replace("$(", "(")
    for line in text.splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        lexer.commenters = "#"
        words: list[str] = []
        for word in [*lexer, ";"]:
            if set(word) <= set("();<>|&"):
                if words:
                    yield words
                words = []
            elif words or not ASSIGNMENT.fullmatch(word):
                words.append(word)
