"""`mer stack cancel`: end training runs of a stack, over its HTTP API."""

from merstream.cli.console import print_message
from merstream.cli.options import RunIds, StackUrl


def stack_cancel_command(
    runs: RunIds,
    url: StackUrl = "http://127.0.0.1:8080",
) -> None:
    """End runs that are planned or training. Folds that are trained stay, and the same request starts a run again.

    Example: `mer stack cancel 0123456789abcdef0123456789abcdef`.
    """
    from merstream.stack.api_client import StackApi
    from shared.settings import load_settings

    api = StackApi(url, load_settings().api_token.get_secret_value())
    for run in runs:
        answer = api.post(f"/runs/{run}/cancel", {})
        print_message(f"Run {answer['id']} of {answer['dataset']} is {answer['state']}.")
