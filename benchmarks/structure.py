"""How easily a stranger finds the way: modules, circles, upward imports, names, docstrings; of this tree or another.

    PYTHONPATH=. .venv/bin/python benchmarks/structure.py [--root FOLDER] [--list]

`tests/unit/test_structure.py` holds the bounds. For an earlier state: `git worktree add /tmp/before COMMIT`, then
`--root /tmp/before`.
"""

import argparse
import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PACKAGES = ("shared", "services", "merstream")  # what is shipped, bottom first
# Rooms of a package from the bottom to the top: a module imports from its own room and from those before it. Modules
# beside the rooms are free, but for circles.
FLOORS: dict[str, tuple[str, ...]] = {
    "shared": ("store", "bus", "worker"),
    "services/trainer": (
        "data",
        "evaluation",
        "models",
        "learners",
        "sources",
        "folds",
        "runs",
        "report",
        "api",
        "service",
    ),
    "services/ingest": ("catalogue", "inbox"),
    "merstream": ("synth", "cli", "doctor", "embedded", "stack", "commands"),
}
# Names that every module or every service may have.
SHARED_NAMES = {"log", "main", "app"}
ARRAY = re.compile(r"NDArray|ndarray|\bTensor\b")
# `[N,2,H,W]`, `T x H x W x 3`, `TxHxWx3`, `68x2`, `(n, 3)`: sizes in brackets or joined by x.
SHAPE = re.compile(r"\[[^\]`]*\]|\b[A-Z0-9]+ ?x ?[A-Z0-9]+\b|\bscalar\b|\bshape\b")


@dataclass(frozen=True)
class Module:
    """One source file."""

    name: str
    path: str
    tree: ast.Module

    @property
    def package(self) -> str:
        """`shared`, `merstream`, or `services/<service>`."""
        parts = self.path.split("/")
        return "/".join(parts[:2]) if parts[0] == "services" and len(parts) > 2 else parts[0]

    @property
    def room(self) -> str:
        """The folder within the package; empty for a file beside the folders."""
        inner = self.path.removeprefix(self.package + "/").split("/")
        return inner[0] if len(inner) > 1 else ""

    @cached_property
    def functions(self) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
        """All but dunder methods, nested ones included."""
        found = [node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        return [node for node in found if not re.fullmatch(r"__\w+__", node.name)]


def read_modules(root: Path) -> dict[str, Module]:
    """Every module of the shipped packages, by its dotted name."""
    found = {}
    for package in PACKAGES:
        for file in sorted((root / package).rglob("*.py")):
            path = file.relative_to(root).as_posix()
            name = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            found[name] = Module(name, path, ast.parse(file.read_text()))
    return found


def list_imports(module: Module, modules: Mapping[str, Module]) -> set[str]:
    """The modules that one imports, in functions too, but not for types alone."""
    found = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                found.add(submodule if submodule in modules else node.module)
    return {name for name in found if name in modules and name != module.name}


def find_circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Groups of nodes that reach each other (Tarjan's strongly connected components of more than one)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    circles: list[list[str]] = []

    def visit_node(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in sorted(graph[node]):
            if target not in index:
                visit_node(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], index[target])
        if low[node] == index[node]:
            place = stack.index(node)
            component = stack[place:]
            del stack[place:]
            if len(component) > 1:
                circles.append(sorted(component))

    for node in sorted(graph):
        if node not in index:
            visit_node(node)
    return circles


def find_upward_imports(modules: Mapping[str, Module]) -> list[str]:
    """Imports from a higher package or room."""
    found = []
    for module in modules.values():
        for name in sorted(list_imports(module, modules)):
            target = modules[name]
            if rank_package(target) > rank_package(module) or is_higher_room(module, target):
                found.append(f"{module.name} -> {name}")
    return found


def rank_package(module: Module) -> int:
    return PACKAGES.index(module.path.split("/")[0])


def is_higher_room(module: Module, target: Module) -> bool:
    floors = FLOORS.get(module.package, ())
    if module.package != target.package or module.room not in floors or target.room not in floors:
        return False
    return floors.index(target.room) > floors.index(module.room)


def list_top_level_names(module: Module) -> Iterator[str]:
    """Functions, classes, constants and type aliases that a module defines."""
    for node in module.tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (target.id for target in targets if isinstance(target, ast.Name))


def find_repeated_names(modules: Mapping[str, Module]) -> list[str]:
    """Top-level names that two modules of a package define."""
    owners: dict[tuple[str, str], list[str]] = defaultdict(list)
    for module in modules.values():
        for name in set(list_top_level_names(module)):
            if name not in SHARED_NAMES and not re.fullmatch(r"__\w+__", name):
                owners[module.package, name].append(module.name)
    return [f"{name}: {', '.join(owned)}" for (_, name), owned in sorted(owners.items()) if len(owned) > 1]


def share_one_word_names(modules: Mapping[str, Module]) -> float:
    """Of all functions and methods, how many have a name of one word."""
    names = [function.name.strip("_") for module in modules.values() for function in module.functions]
    return sum("_" not in name for name in names) / len(names)


def find_shapeless_docstrings(modules: Mapping[str, Module]) -> list[str]:
    """Public functions and methods that take or give arrays and whose docstring, or their class's, states no shape."""
    found = []
    for module in modules.values():
        aliases = list_array_aliases(module)
        arrays = re.compile("|".join([ARRAY.pattern, r"\bArrays\b", *(rf"\b{alias}\b" for alias in aliases)]))
        for owner, function in list_public_functions(module.tree.body):
            annotations = [argument.annotation for argument in function.args.args + function.args.kwonlyargs]
            types = " ".join(ast.unparse(each) for each in [*annotations, function.returns] if each is not None)
            documented = (ast.get_docstring(function) or "") + (ast.get_docstring(owner) or "" if owner else "")
            if arrays.search(types) and not SHAPE.search(documented):
                found.append(f"{module.path}:{function.lineno} {function.name}")
    return found


def list_array_aliases(module: Module) -> list[str]:
    """Names that a module gives to array types: `Floats = NDArray[np.float64]`."""
    assigned = [node for node in module.tree.body if isinstance(node, ast.Assign)]
    named = [(node.targets[0], ast.unparse(node.value)) for node in assigned]
    return [target.id for target, value in named if isinstance(target, ast.Name) and ARRAY.match(value)]


def list_public_functions(body: Sequence[ast.stmt]) -> Iterator[tuple[ast.ClassDef | None, ast.FunctionDef]]:
    for node in body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield None, node
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            methods = (item for item in node.body if isinstance(item, ast.FunctionDef))
            yield from ((node, method) for method in methods if not method.name.startswith("_"))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--root", type=Path, default=Path(__file__).parents[1])
    arguments.add_argument("--list", action="store_true", help="name every finding")
    given = arguments.parse_args()
    modules = read_modules(given.root)
    findings = {
        "import circles": [" <-> ".join(circle) for circle in find_circles(import_graph(modules))],
        "upward imports": find_upward_imports(modules),
        "top-level names defined twice within a package": find_repeated_names(modules),
        "public functions on arrays without a shape in their docstring": find_shapeless_docstrings(modules),
    }
    rooms = Counter((module.package, module.room) for module in modules.values())
    print(f"modules: {len(modules)} in {len(rooms)} folders, at most {max(rooms.values())} in one")
    print(f"one-word function names: {share_one_word_names(modules):.1%}")
    for title, found in findings.items():
        print(f"{title}: {len(found)}")
        for line in found if given.list else []:
            print(f"  {line}")


def import_graph(modules: Mapping[str, Module]) -> dict[str, set[str]]:
    """What each module imports."""
    return {name: list_imports(module, modules) for name, module in modules.items()}


if __name__ == "__main__":
    main()
