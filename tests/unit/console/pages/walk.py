"""What a person does with the console, step by step in a real browser, over any stack.

Each step begins at an address and ends with what the page says then. Work that a stack does meanwhile is waited for.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.unit.console.pages.browser import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page


@dataclass(frozen=True)
class ConsoleWalk:
    """One person's page of the console at `root`. Work of the stack may take `patience_seconds`."""

    page: "Page"
    root: str
    patience_seconds: float

    def open_path(self, path: str) -> None:
        self.page.goto(self.root + path, wait_until="load")

    def follow(self, what: str) -> None:
        """Press a link or a button that leads to another page."""
        with self.page.expect_navigation():
            self.page.click(what)

    def wait_for(self, condition: str) -> None:
        wait_until(self.page, condition, self.patience_seconds)

    def log_in(self, token: str) -> None:
        self.open_path("/uploads")
        self.page.fill("#token", token)
        self.follow("main button")
        assert self.page.url == f"{self.root}/uploads"

    def upload_dataset(self, folder: Path) -> None:
        """Drop a folder, and go where its progress is."""
        self.open_path("/uploads")
        self.page.set_input_files("#folder", folder)
        self._send_files()

    def upload_video(self, file: Path) -> None:
        """Drop a video, and go to its page."""
        self.open_path("/uploads")
        self.page.check("input[value=videos]")
        self.page.set_input_files("#files", file)
        self._send_files()

    def wait_for_features(self, clips: int) -> None:
        """On the page of a dataset: until so many clips have features, as its bar says."""
        self.wait_for(f"document.querySelector('progress.whole')?.value === {clips}")

    def look_at_clip(self, dataset: str) -> None:
        """Open the first clip of a dataset. All its pictures can be seen."""
        self.open_path(f"/datasets/{dataset}/clips")
        self.follow("tbody a >> nth=0")
        self.page.evaluate("document.querySelectorAll('img').forEach(each => { each.loading = 'eager'; })")
        self.wait_for("document.images.length === 6 && [...document.images].every(each => each.complete)")
        assert self.page.evaluate("[...document.images].every(each => each.naturalWidth > 90)")

    def wait_for_run(self, search: str, state: str) -> None:
        """Open the newest run that a search finds once its row has this state."""
        self.open_path(f"/runs?search={search}")
        newest = "document.querySelector('tbody tr [data-label=state]')?.textContent.trim()"
        self.wait_for(f"{newest} === '{state}'")
        self.follow("tbody a >> nth=0")

    def read_report(self, search: str) -> None:
        """Open the report of the newest run that a search finds."""
        self.wait_for_run(search, "done")
        self.follow("text=Open the report")
        assert self.page.url.endswith("/report.html")
        assert self.page.locator("h1").count() == 1

    def start_run(self, dataset: str, model: str, epochs: int) -> None:
        self.open_path("/runs/new")
        self.page.check(f"input[name=datasets][value='{dataset}']")
        self.page.select_option("#model", model)
        self.page.click("summary:has-text('Training')")
        self.page.fill("[id='settings.epochs']", str(epochs))
        self.follow("text=Start the run")
        assert self.page.inner_text("h1") == f"{model} on {dataset}"

    def cancel_run(self) -> None:
        """On the page of a run that has not ended."""
        self.follow("text=Cancel this run")
        self.wait_for("document.querySelector('#state .bad')?.textContent === 'cancelled'")

    def compare_runs(self, dataset: str) -> None:
        """Compare the two runs on a dataset that are done."""
        self.open_path(f"/runs?search={dataset}")
        self.wait_for("document.querySelectorAll('tbody input').length === 2")
        for box in self.page.locator("tbody input").all():
            box.check()
        self.follow("text=Compare the chosen")
        assert self.page.inner_text("h1") == "2 runs side by side"

    def replay_letter(self, group: str) -> None:
        """Replay the newest dead letter of a group."""
        self.open_path(f"/dead-letters?search={group}")
        self.wait_for("document.querySelectorAll('tbody a').length > 0")
        self.follow("tbody a >> nth=0")
        self.follow("text=Replay it")
        assert self.page.inner_text(".said") == "1 dead letter was replayed."

    def wait_for_prediction(self, video: str) -> None:
        """Open the page of a video. Its events are listed once they are predicted."""
        self.wait_for(f"[...document.querySelectorAll('tbody a')].some(each => each.textContent === '{video}')")
        self.follow(f"tbody a:text-is('{video}')")
        self.wait_for("document.querySelectorAll('#events tbody tr').length > 0")

    def _send_files(self) -> None:
        self.page.click("button.main")
        self.wait_for("/ sent\\./.test(document.getElementById('state').textContent)")
        self.follow("#state a")
