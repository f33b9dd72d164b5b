"""The docs hold what they promise: links resolve, sentences are short, commands exist and run."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from merstream.app import app
from tests.docs import pages
from tests.docs.pages import (
    FENCE,
    PAGES,
    PROSE,
    ROOT,
    Block,
    blocks_of,
    blocks_tagged,
    commands_of,
    name_of,
    pages_with,
    read_page,
)

TAGS = {"sh", "sh stack", "sh cluster", "sh setup", "sh example", "python", "text"}
RUN_PYTHON = ("README.md", "docs/tutorial/python.md")
LONGEST_SENTENCE = 30  # words; the style sheet of CONTRIBUTING.md asks for 25
LONGEST_AVERAGE = 18  # words per sentence of a page
RUN_SECONDS = 1500

LINK = re.compile(r"(?<!\\)\[(?P<text>(?:[^\[\]]|\[[^\]]*\])*)\]\((?P<target>[^()\s]*(?:\([^()]*\)[^()\s]*)*)\)")
CODE = re.compile(r"`(?:[^`\n]|\n(?!\s*\n))+`")
HEADING = re.compile(r"^#{1,6} +(?P<title>.+?) *#*$", re.MULTILINE)


def without_code(text: str) -> str:
    """The page without fenced blocks, front matter and comments; inline code stays."""
    text = re.sub(r"\A---\n.*?^---$", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"<!--.*?-->", "", FENCE.sub("", text), flags=re.DOTALL)


def anchors_of(page: str) -> set[str]:
    """The fragments that a page can be entered by, as GitHub makes them of its headings."""
    found: dict[str, int] = {}
    anchors = set()
    for heading in HEADING.finditer(without_code(read_page(page))):
        title = LINK.sub(lambda link: link["text"], heading["title"])
        slug = re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-")
        count = found.get(slug, 0)
        found[slug] = count + 1
        anchors.add(f"{slug}-{count}" if count else slug)
    return anchors


def broken_links(page: str) -> Iterator[str]:
    for link in LINK.finditer(CODE.sub("", without_code(read_page(page)))):
        path, _, anchor = link["target"].partition("#")
        if re.match(r"[a-z][a-z0-9+.-]*:", path):
            continue
        there = (ROOT / page).parent / path if path else ROOT / page
        if not there.exists():
            yield f"{page}: [{link['text']}]({link['target']}): no file {path}"
        elif anchor and anchor not in anchors_of(os.path.relpath(there, ROOT)):
            yield f"{page}: [{link['text']}]({link['target']}): no heading for #{anchor}"


@pytest.mark.parametrize("page", PAGES)
def test_every_link_and_anchor_resolves(page: str) -> None:
    assert not list(broken_links(page))


def paragraphs_of(page: str) -> Iterator[str]:
    """Paragraphs and list items, each on one line; no code, tables, headings, pictures."""
    lines: list[str] = []
    for line in [*without_code(read_page(page)).splitlines(), ""]:
        text = line.strip()
        item = re.match(r"([-*+]|\d+\.) +", text)
        if not text or item or text.startswith(("|", "#", "![", ">")):
            if lines:
                yield " ".join(lines)
            lines = [text[item.end() :]] if item else []
        else:
            lines.append(text)
    if lines:
        yield " ".join(lines)


def sentences_of(page: str) -> Iterator[str]:
    for paragraph in paragraphs_of(page):
        text = LINK.sub(lambda link: link["text"], paragraph)
        text = CODE.sub("code", text).replace("**", "").replace("*", "")
        yield from (part for part in re.split(r"(?<=[.!?])[)\"']* +(?=[\"'(\[]*[A-Z0-9]|code\b)", text) if count(part))


def count(sentence: str) -> int:
    """Words: whatever has a letter or a digit."""
    return sum(any(letter.isalnum() for letter in word) for word in sentence.split())


def words_per_sentence(page: str) -> float:
    counts = [count(sentence) for sentence in sentences_of(page)]
    return sum(counts) / len(counts) if counts else 0.0


@pytest.mark.parametrize("page", PROSE)
def test_sentences_are_short(page: str) -> None:
    long = [f"{count(each)} words: {each}" for each in sentences_of(page) if count(each) > LONGEST_SENTENCE]
    assert not long, "\n".join([page, *long])
    average = words_per_sentence(page)
    assert average <= LONGEST_AVERAGE, f"{page}: {average:.1f} words per sentence, expected {LONGEST_AVERAGE} at most"


@pytest.mark.parametrize("page", PROSE)
def test_every_block_has_a_known_tag(page: str) -> None:
    unknown = [f"{name_of(block)}: {block.tag!r}" for block in blocks_of(page) if block.tag not in TAGS]
    assert not unknown, f"{unknown}: expected one of {', '.join(sorted(TAGS))}"
    assert "```" not in FENCE.sub("", read_page(page)), f"{page}: a block is not closed"


def mer_arguments(code: str) -> Iterator[list[str]]:
    for words in commands_of(code) if "mer " in code else ():
        if Path(words[0]).name == "mer":
            yield words[1:]


def parse(arguments: list[str]) -> None:
    """A real parse by the commands themselves: everything but the call. Raises click's UsageError for what is not
    there, AssertionError for an option that works on but is no longer shown."""
    command: Any = typer.main.get_command(app)
    context: Any = None
    name, left = "mer", arguments
    while True:
        context = command.make_context(name, list(left), parent=context)
        for parameter in command.params:
            given = context.get_parameter_source(parameter.name)
            assert not (getattr(parameter, "hidden", False) and given and given.name == "COMMANDLINE"), parameter.opts
        left = [*getattr(context, "_protected_args", []), *context.args]
        if not hasattr(command, "resolve_command"):
            return
        name, command, left = command.resolve_command(context, left)
        assert not command.hidden, f"mer {name}"


def complaint(arguments: list[str]) -> str:
    """What is wrong with a `mer` command, '' if nothing is."""
    try:
        parse(arguments)
    except Exception as error:
        if getattr(error, "exit_code", 1) == 0:  # --help
            return ""
        return f"mer {shlex.join(arguments)}: {getattr(error, 'message', error) or error!r}"
    return ""


SHELL = [block for block in blocks_tagged(*TAGS) if block.tag.startswith("sh")]


@pytest.mark.parametrize("block", SHELL, ids=name_of)
def test_every_command_exists_with_its_options(block: Block) -> None:
    wrong = [said for arguments in mer_arguments(block.code) if (said := complaint(arguments))]
    assert not wrong, "\n".join([name_of(block), *wrong])


def test_a_wrong_command_is_noticed() -> None:
    assert not complaint(["synth", "folder", "--subjects", "3"])
    assert not complaint(["dead-letters", "list", "--help"])
    assert "paint" in complaint(["paint"])
    assert "--colour" in complaint(["synth", "folder", "--colour", "red"])
    assert "subjects" in complaint(["synth", "folder", "--subjects", "none"])
    assert complaint(["dead-letters", "burn"])
    assert complaint(["show"])
    lines = "A=1 .venv/bin/mer synth x --jobs 1 \\\n  --seed 2   # mer nothing\necho mer; mer run 'a b' && mer weights"
    found = list(mer_arguments(lines))
    assert found == [["synth", "x", "--jobs", "1", "--seed", "2"], ["run", "a b"], ["weights"]]


def test_long_sentences_and_lost_links_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    words = " ".join(["Word", *["word"] * 30])
    page.write_text(
        f"# One `two`, three!\n\nShort. {words}.\n\n| {words} {words} |\n\n```text\n{words} {words}\n```\n\n"
        "- [a](#one-two-three) [b](#four)\n- [c](gone.md) [d](page.md#one-two-three) [e](https://example.org)\n"
    )
    monkeypatch.setattr(pages, "ROOT", tmp_path)
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    read_page.cache_clear()
    try:
        assert sorted(count(each) for each in sentences_of("page.md")) == [1, 2, 3, 31]
        assert [said.split(": ")[1] for said in broken_links("page.md")] == ["[b](#four)", "[c](gone.md)"]
        assert [block.tag for block in blocks_of("page.md")] == ["text"]
    finally:
        read_page.cache_clear()


def run(arguments: list[str], page: str) -> None:
    """From the root of the checkout, with its code."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        arguments, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=RUN_SECONDS, check=False
    )
    assert done.returncode == 0, f"{page}: exit code {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


@pytest.mark.exhaustive
@pytest.mark.parametrize("page", pages_with("sh"))
def test_commands_run_as_they_are_written(page: str) -> None:
    script = "\n".join(block.code for block in blocks_of(page) if block.tag == "sh")
    run(["bash", "-euxo", "pipefail", "-c", script], page)


@pytest.mark.exhaustive
@pytest.mark.parametrize("page", RUN_PYTHON)
def test_python_runs_as_it_is_written(page: str) -> None:
    code = "\n".join(block.code for block in blocks_of(page) if block.tag == "python")
    assert code
    run([sys.executable, "-c", code], page)


def test_python_is_only_where_it_is_run() -> None:
    assert {block.page for block in blocks_tagged("python")} <= set(RUN_PYTHON)


def test_the_tutorial_names_the_headings_of_the_report() -> None:
    text = read_page("docs/tutorial/first-run.md").partition("## 3. Open the report")[2].partition("\n## ")[0]
    named = {" ".join(found.split()) for found in re.findall(r"(?<!\*)\*([A-Z][^*]+)\*(?!\*)", text)}
    templates = ROOT / "services" / "trainer" / "report" / "templates"
    shown = "".join(file.read_text(encoding="utf-8") for file in sorted(templates.iterdir()))
    assert len(named) >= 4
    assert {heading for heading in named if f">{heading}<" not in shown} == set()
