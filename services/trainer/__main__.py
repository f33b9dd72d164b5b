"""`python -m services.trainer`: starts runs, plans them and trains their folds; `plan` or `train` does the one part."""

import sys

from services.trainer import loops
from shared.service import REFUSED, serve

PARTS = {"": loops.loops, "plan": loops.plan, "train": loops.train}

if __name__ == "__main__":
    asked = " ".join(sys.argv[1:])
    if asked not in PARTS:
        print(f"{asked}: expected plan, train or nothing for both.", file=sys.stderr)
        sys.exit(REFUSED)
    serve(PARTS[asked])
