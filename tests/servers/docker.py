"""Images for tests: those that `.env` pins, where a Docker engine runs."""

import os
import subprocess
from functools import cache
from pathlib import Path

ENV = Path(__file__).parents[2] / ".env"
PULL_SECONDS = 300


def images() -> dict[str, str]:
    """By its name in .env. Where the digest is not on this machine and the tag is, that one; the environment wins."""
    lines = [line.split("=", 1) for line in ENV.read_text().splitlines() if "_IMAGE=" in line]
    chosen = {}
    for name, pinned in lines:
        here = [image for image in (pinned, pinned.split("@")[0]) if is_here(image)]
        chosen[name] = os.environ.get(name) or (here or [pinned])[0]
    return chosen


def is_here(image: str) -> bool:
    return _quietly("image", "inspect", image)


@cache
def usable(name: str) -> str | None:
    """The image, pulled if need be; None where no engine runs or none can be had."""
    if not _quietly("info"):
        return None
    image = images()[name]
    return image if is_here(image) or _quietly("pull", "--quiet", image) else None


def _quietly(*arguments: str) -> bool:
    try:
        return subprocess.run(["docker", *arguments], capture_output=True, timeout=PULL_SECONDS).returncode == 0
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return False
