"""Dependencies point one way: merstream -> services/x -> shared. No service knows another; science touches no I/O."""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TRANSPORT = ("shared.bus", "shared.store", "shared.worker", "shared.connect")  # what carries records and artifacts


def imports(file: Path) -> set[str]:
    """Modules that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def test_shared_imports_no_service() -> None:
    for file in (ROOT / "shared").rglob("*.py"):
        assert not [name for name in imports(file) if within(name, ("services", "merstream"))], file


def test_no_service_imports_another_or_merstream() -> None:
    for file in (ROOT / "services").rglob("*.py"):
        owner = file.relative_to(ROOT / "services").parts[0]
        foreign = [name for name in imports(file) if name.startswith("services.") and name.split(".")[1] != owner]
        assert not foreign, (file, foreign)
        assert not [name for name in imports(file) if within(name, ("merstream",))], file


def test_stages_know_nothing_of_what_carries_them() -> None:
    for stage in ("interpolator", "magnifier", "flow", "roi_au"):
        for file in (ROOT / "services" / stage).glob("*.py"):
            if file.name != "__main__.py":
                assert not [name for name in imports(file) if within(name, TRANSPORT)], file


def test_only_its_own_services_import_torch() -> None:
    """Elsewhere only files that say so, and one function that asks what devices there are, when they are called for."""
    for file in [file for folder in ("shared", "services", "merstream") for file in (ROOT / folder).rglob("*.py")]:
        if "torch" in {name.split(".")[0] for name in imports(file)}:
            own = file.relative_to(ROOT).parts[1] in ("interpolator", "trainer")
            own = own or file.parent == ROOT / "services" / "magnifier" / "magnet"
            assert own or file.name.startswith(("torch_", "triton_")) or file == ROOT / "shared" / "device.py", file


def test_what_the_trainer_learns_from_knows_no_torch() -> None:
    for file in (ROOT / "services" / "trainer" / "data").rglob("*.py"):
        assert not [name for name in imports(file) if within(name, ("torch", "services.trainer.learners"))], file


def test_stages_without_networks_load_without_torch() -> None:
    code = "import sys, services.flow.stage, services.magnifier.stage; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_a_run_is_stated_without_torch() -> None:
    code = "import sys, shared.training.definition, shared.pipeline_state; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_a_worker_does_not_load_its_stage_twice() -> None:
    code = "import sys, services.flow.__main__, services.ingest.__main__; sys.exit('cv2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
