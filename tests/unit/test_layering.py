"""Dependencies point one way: services/x -> shared; only services/local knows the others; science touches no I/O."""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TRANSPORT = {
    *("shared.bus", "shared.local_bus", "shared.kafka_bus", "shared.store", "shared.s3_store"),
    *("shared.kafka_broker", "shared.kafka_consumer", "shared.kafka_topics", "shared.connect"),
    *("shared.worker", "shared.processing", "shared.topics"),
}


def imports(file: Path) -> set[str]:
    tree = ast.parse(file.read_text())
    plain = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    origins = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    return plain | origins


def test_shared_imports_no_service() -> None:
    for file in (ROOT / "shared").rglob("*.py"):
        assert not [name for name in imports(file) if name.startswith("services")], file


def test_no_service_imports_another() -> None:
    for file in (ROOT / "services").rglob("*.py"):
        owner = file.relative_to(ROOT / "services").parts[0]
        foreign = [n for n in imports(file) if n.startswith("services.") and n.split(".")[1] != owner]
        assert owner == "local" or not foreign, (file, foreign)


def test_stages_know_nothing_of_what_carries_them() -> None:
    for stage in ("interpolator", "magnifier", "flow", "roi_au"):
        for file in (ROOT / "services" / stage).glob("*.py"):
            if file.name != "__main__.py":
                assert not imports(file) & TRANSPORT, file


def test_only_its_own_services_import_torch() -> None:
    """Elsewhere only files that say so, and one function that asks what devices there are, when they are called for."""
    for file in [*(ROOT / "shared").rglob("*.py"), *(ROOT / "services").rglob("*.py")]:
        if "torch" in {name.split(".")[0] for name in imports(file)}:
            own = file.relative_to(ROOT).parts[1] in ("interpolator", "trainer", "local")
            assert own or file.name.startswith("torch_") or file == ROOT / "shared" / "device.py", file


def test_stages_without_networks_load_without_torch() -> None:
    code = "import sys, services.flow.__main__, services.magnifier.__main__; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
