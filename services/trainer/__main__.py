"""`python -m services.trainer` starts runs, plans them and trains their folds. `plan` or `train` does one part."""

import sys

from services.trainer.service import processes
from shared.worker.process import REFUSED_EXIT_CODE, serve_loops

LOOPS_BY_PART = {"": processes.all_loops, "plan": processes.planning_loops, "train": processes.training_loops}

if __name__ == "__main__":
    part = " ".join(sys.argv[1:])
    if part not in LOOPS_BY_PART:
        print(f"{part}: expected plan, train, or no argument for both.", file=sys.stderr)
        sys.exit(REFUSED_EXIT_CODE)
    serve_loops(LOOPS_BY_PART[part])
