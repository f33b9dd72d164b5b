"""Starts the run that a request describes, for the API and for the form of a page."""

import threading

from services.console.access.visitor import note_action
from services.console.api.responses import RunAnswer
from services.console.api.run_request import RunRequest, require_folds
from services.console.runs.run_reader import RunReader
from services.console.state_reader import StateReader, hold_lock
from shared.pipeline_state import PipelineSnapshot


class RunStarter:
    """Starts runs, one at a time. `device` selects the model of a request that names none."""

    def __init__(self, reader: StateReader, runs: RunReader, device: str) -> None:
        self.reader, self.runs, self.device = reader, runs, device
        self._start_lock = threading.Lock()

    def start_run(self, request: RunRequest) -> RunAnswer:
        """The run, started unless it is there already. One request at a time, since it decodes all clips' records.

        The work of a request that was given up goes on. So the same request finds its run sooner or later.
        Raises HTTPException 404, 409 and 422 as `RunRequest.resolve_run` and `require_folds`.
        """
        with hold_lock(self._start_lock, self.reader.timeout_seconds):
            return self._find_or_start_run(request, self.reader.read_snapshot())

    def _find_or_start_run(self, request: RunRequest, snapshot: PipelineSnapshot) -> RunAnswer:
        run, contents = request.resolve_run(snapshot, self.device)
        result = snapshot.results.get(run.id)
        ended_early = result is not None and result.status != "done"
        if not ended_early and (result is not None or run.id in snapshot.runs):
            return self.runs.find_answer(snapshot, run.id)
        self.runs.note_fold_count(run.id, require_folds(run, contents))
        if ended_early or self.reader.state.was_stopped(run.id):
            self.reader.state.withdraw_ending(run)
        self.reader.state.publish_run(run, contents)
        note_action("run started", object=run.id, dataset=run.dataset)
        return self.runs.find_answer(self.reader.read_snapshot(), run.id)
