"""The flow worker: `python -m services.flow`."""

from services.flow.stage import STAGE
from shared.service import main

if __name__ == "__main__":
    main(STAGE)
