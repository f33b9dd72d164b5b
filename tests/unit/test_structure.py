"""A stranger finds the way: no import circles, imports point one way, names say what they are."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from benchmarks import structure
from benchmarks.structure import Module

MOST_ONE_WORD_NAMES = 0.2  # share of all functions and methods; 0.83 before they were renamed, 0.04 to 0.45 elsewhere


@pytest.fixture(scope="module")
def modules() -> Mapping[str, Module]:
    return structure.read_modules(Path(structure.__file__).parents[1])


def test_no_modules_import_each_other_in_a_circle(modules: Mapping[str, Module]) -> None:
    assert structure.find_circles(structure.import_graph(modules)) == []


def test_imports_point_downwards(modules: Mapping[str, Module]) -> None:
    assert structure.find_upward_imports(modules) == []


def test_a_top_level_name_is_unique_within_its_package(modules: Mapping[str, Module]) -> None:
    assert structure.find_repeated_names(modules) == []


def test_functions_are_named_by_verb_and_object(modules: Mapping[str, Module]) -> None:
    assert structure.share_one_word_names(modules) <= MOST_ONE_WORD_NAMES


def test_public_functions_on_arrays_state_shapes(modules: Mapping[str, Module]) -> None:
    assert structure.find_shapeless_docstrings(modules) == []


def test_the_measures_find_what_they_look_for(tmp_path: Path) -> None:
    sources = {
        "shared/one.py": "from shared import two\ndef run(): ...\n",
        "shared/two.py": "import shared.one\nfrom services.x.y import z\ndef run(): ...\n",
        "services/x/y.py": 'from numpy import ndarray\ndef z(a: ndarray): ...\ndef load_b(b: ndarray): "[N,2]"\n',
        "merstream/__init__.py": "",
    }
    for name, text in sources.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    modules = structure.read_modules(tmp_path)
    assert structure.find_circles(structure.import_graph(modules)) == [["shared.one", "shared.two"]]
    assert structure.find_upward_imports(modules) == ["shared.two -> services.x.y"]
    assert structure.find_repeated_names(modules) == ["run: shared.one, shared.two"]
    assert structure.share_one_word_names(modules) == 0.75
    assert structure.find_shapeless_docstrings(modules) == ["services/x/y.py:2 z"]
