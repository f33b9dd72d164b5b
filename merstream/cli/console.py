"""Where the commands write: news to stderr, results to stdout."""

from rich.console import Console

news = Console(stderr=True)
results = Console()
