"""`python -m services.trainer`: starts runs, plans them and trains their folds; `plan` or `train` does the one part."""

import sys

from services.trainer.service import processes
from shared.worker.process import REFUSED, serve

PARTS = {"": processes.loops, "plan": processes.plan, "train": processes.train}

if __name__ == "__main__":
    asked = " ".join(sys.argv[1:])
    if asked not in PARTS:
        print(f"{asked}: expected plan, train or nothing for both.", file=sys.stderr)
        sys.exit(REFUSED)
    serve(PARTS[asked])
