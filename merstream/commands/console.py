"""`mer console`: the pages of the console over the folder of an embedded run."""

import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import SecretStr

from shared.settings import Settings

if TYPE_CHECKING:
    from shared.worker.process import Loop

CONSOLE_HOST = "127.0.0.1"  # nobody else reaches the pages, so that no token is needed


def console_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a `mer run`.")],
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the pages. 0: any free one.")
    ] = Settings.model_fields["api_port"].default,
) -> None:
    """Show a run in the browser: its stages, clips, report and dead letters, also while it works.

    Example: `mer console out/run`. Only this computer reaches the pages. Ctrl-C ends them.
    """
    from merstream.cli.console import print_message
    from merstream.embedded.run_folder import Workspace
    from merstream.embedded.run_folder_state import RunFolderState
    from merstream.forget import open_withdrawer
    from merstream.stack.connection import connection_settings
    from services.console.server import ConsoleServer
    from services.ingest.withdrawal.loop import WithdrawalLoop

    settings = connection_settings(folder).model_copy(
        update={
            "api_host": CONSOLE_HOST,
            "api_port": port,
            "api_token": SecretStr(""),
            "api_people": None,
            "root_path": "",
        }
    )
    workspace, stopping = Workspace(folder), threading.Event()
    with closing(workspace.open_bus()) as bus:
        state, store = RunFolderState(bus, workspace), workspace.open_store()
        server = ConsoleServer(state, settings, stopping, run_folder=str(folder))
        # Views keep what was erased from the bus of a folder. Closed ones are read again.
        remover = WithdrawalLoop(
            store, lambda: open_withdrawer(bus, store, settings, folder), stopping, on_end=state.close
        )
        print_message(f"Open http://{CONSOLE_HOST}:{server.port}/ in a browser. Ctrl-C ends it.")
        serve_until_interrupted([server, remover], stopping)


def serve_until_interrupted(loops: "Sequence[Loop]", stopping: threading.Event) -> None:
    """Run the loops until Ctrl-C or SIGTERM, or until the first of them ends by itself."""
    threads = [threading.Thread(target=loop.run) for loop in loops]
    for thread in threads:
        thread.start()
    try:
        threads[0].join()
    except KeyboardInterrupt:
        pass
    finally:
        stopping.set()
        for thread in threads:
            thread.join()
