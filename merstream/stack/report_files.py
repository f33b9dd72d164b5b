"""The files of a report, as a client downloads them."""

from collections.abc import Iterable


def report_download_order(names: Iterable[str]) -> list[str]:
    """The names with report.json last: a folder without it holds no report."""
    return sorted(names, key=lambda name: (name == "report.json", name))
