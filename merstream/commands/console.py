"""`mer console`: the pages of the console over the folder of an embedded run."""

import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import SecretStr

from shared.settings import Settings

if TYPE_CHECKING:
    from services.console.server import ConsoleServer

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
    from merstream.stack.connection import connection_settings
    from services.console.server import ConsoleServer

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
        server = ConsoleServer(RunFolderState(bus, workspace), settings, stopping, run_folder=str(folder))
        print_message(f"Open http://{CONSOLE_HOST}:{server.port}/ in a browser. Ctrl-C ends it.")
        serve_until_interrupted(server, stopping)


def serve_until_interrupted(server: "ConsoleServer", stopping: threading.Event) -> None:
    """Serve until Ctrl-C or SIGTERM."""
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        thread.join()
    except KeyboardInterrupt:
        pass
    finally:
        stopping.set()
        thread.join()
