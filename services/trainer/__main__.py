"""`python -m services.trainer` does all that a trainer does. `plan`, `train` or `recognise` does one part.

`plan` starts and plans runs, and asks for the recognition of videos. `train` trains folds. `recognise` recognises.
"""

import sys

from services.trainer.service import processes
from shared.worker.process import REFUSED_EXIT_CODE, serve_loops

LOOPS_BY_PART = {
    "": processes.all_loops,
    "plan": processes.planning_loops,
    "train": processes.training_loops,
    "recognise": processes.recognition_loops,
}

if __name__ == "__main__":
    part = " ".join(sys.argv[1:])
    if part not in LOOPS_BY_PART:
        print(f"{part}: expected plan, train, recognise, or no argument for all.", file=sys.stderr)
        sys.exit(REFUSED_EXIT_CODE)
    serve_loops(LOOPS_BY_PART[part])
