"""Chromium for the tests of pages: this machine's own, or Debian's package, which `make servers` installs for root."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.servers.process import ServerMissing

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome")
# Root may not use the sandbox. The others: no look-ups outside, which a closed network answers late.
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")


def find_chromium() -> str:
    """The program, or that of MERSTREAM_TEST_CHROMIUM. Raises ServerMissing."""
    found = os.environ.get("MERSTREAM_TEST_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        raise ServerMissing(
            "Chromium is not on the PATH: install the package `chromium` or set MERSTREAM_TEST_CHROMIUM."
        )
    return found


def install_chromium() -> str:
    """The program, installed from Debian's packages where that is possible. Raises ServerMissing."""
    try:
        return find_chromium()
    except ServerMissing:
        if not shutil.which("apt-get") or os.geteuid() != 0:
            raise
    for order in ("update", "install --yes --no-install-recommends chromium"):
        subprocess.run(["apt-get", "-qq", *order.split()], check=False, capture_output=True)
    return find_chromium()


@contextmanager
def start_chromium() -> Iterator["Browser"]:
    """A headless browser, ended on leaving. Raises ServerMissing."""
    from playwright.sync_api import sync_playwright  # here: only tests of pages need it

    program = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        yield browser
        browser.close()
