"""The pictures of the console in docs/, by `make screenshots`: a drawn dataset is run and trained, then Chromium looks.

One clip of the dataset is dark, so that there is a dead letter. The reports are published as a stack does it. What was
computed stays in out/screenshots, and a second start only takes pictures. Times would change each picture, so they are
replaced.
"""

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import cv2
import numpy as np
from PIL import Image

from merstream.embedded.run_folder import Workspace
from merstream.embedded.run_folder_state import read_folder_result
from services.console.server import ConsoleServer
from services.console.uploads.records import Target
from shared.bus.topics import RESULTS
from shared.pipeline_state import PipelineState
from shared.settings import Settings
from shared.store import LocalStore
from tests.servers.chromium import start_chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

IMAGES = Path(__file__).parent / "images"
HOME = Path("out/screenshots")
DATASET, RUN = HOME / "drawn", HOME / "run"
PUBLISHED = HOME / "published"  # written last
DARK_CLIP = "sub03/EP02_01"
SMALL = ("--set", "ingest.height=140", "--set", "ingest.width=112", "--set", "magnifier.factors=[2.0, 3.0]")
LAPTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 800}
FIX_TIMES = "document.querySelectorAll('time').forEach(each => { each.textContent = '2026-01-31 09:00'; })"


def main() -> None:
    compute_run()
    with serve_run() as address, start_chromium() as browser:
        take_pictures(browser, address)


def compute_run() -> None:
    """Draw the dataset, run it, train it with two models and publish both reports."""
    if PUBLISHED.exists():
        return
    shutil.rmtree(HOME, ignore_errors=True)
    call_mer("synth", DATASET, "--subjects", "6", "--clips", "6", "--seed", "5")
    for file in DATASET.glob(f"*/{DARK_CLIP}/*"):
        cv2.imwrite(str(file), np.zeros_like(cv2.imread(str(file))))
    call_mer("run", DATASET, "--out", RUN, *SMALL)
    publish_report()
    call_mer("train", "--out", RUN, "--model", "linear")
    publish_report()
    PUBLISHED.touch()


def publish_report() -> None:
    """Publish the report that lies in the folder, with its files in the store."""
    workspace = Workspace(RUN)
    result, store = read_folder_result(workspace.report_folder), workspace.open_store()
    assert result is not None
    files = {name: f"reports/{result.dataset}/{result.run}/{name}" for name in result.files}
    for name, key in files.items():
        store.put(key, (workspace.report_folder / name).read_bytes())
    with closing(workspace.open_bus()) as bus:
        published = result.model_copy(update={"files": files})
        bus.publish(RESULTS.name, published.key, published.encode())


def call_mer(*arguments: object) -> None:
    subprocess.run([sys.executable, "-m", "merstream", *map(str, arguments)], check=True)


@contextmanager
def serve_run() -> Iterator[str]:
    """The address of the console over the run, on a free port."""
    workspace, stopping = Workspace(RUN), threading.Event()
    with closing(workspace.open_bus()) as bus:
        buckets = {name: LocalStore(HOME / name) for name in get_args(Target)}
        state = PipelineState(bus, workspace.open_store())
        server = ConsoleServer(state, Settings(api_port=0), stopping, buckets=buckets)
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.port}"
        finally:
            stopping.set()
            thread.join()


def take_pictures(browser: "Browser", address: str) -> None:
    """Write all pictures: the pages as the links of other pages lead to them."""
    page = browser.new_page(viewport=LAPTOP)
    page.goto(f"{address}/runs", wait_until="load")
    for box in page.locator("tbody input").all():
        box.check()
    follow_link(page, "text=Compare the chosen")
    save_picture(page, "console-compare")
    page.goto(f"{address}/runs", wait_until="load")
    follow_link(page, "tbody a:text-is('fmer-lite')")
    save_picture(page, "console-run")
    page.goto(f"{address}/datasets/{DATASET.name}/clips", wait_until="load")
    follow_link(page, "tbody a >> nth=0")
    page.evaluate("document.querySelectorAll('img').forEach(each => { each.loading = 'eager'; })")
    page.wait_for_load_state("networkidle")
    save_picture(page, "console-clip", 1600)
    page.goto(f"{address}/dead-letters", wait_until="load")
    follow_link(page, "tbody a >> nth=0")
    save_picture(page, "console-dead-letter")
    page.goto(address, wait_until="load")
    save_picture(page, "console-home")
    page.set_viewport_size(PHONE)
    save_picture(page, "console-phone")


def follow_link(page: "Page", link: str) -> None:
    with page.expect_navigation():
        page.click(link)


def save_picture(page: "Page", name: str, height: int = LAPTOP["height"]) -> None:
    """The top of the page, so many px high, as docs/images/NAME.webp."""
    page.evaluate(FIX_TIMES)
    page.set_viewport_size({"width": page.viewport_size["width"], "height": height})
    Image.open(BytesIO(page.screenshot())).save(IMAGES / f"{name}.webp", quality=85, method=6)


if __name__ == "__main__":
    main()
