"""The flow worker: `python -m services.flow`."""

from shared.worker.process import main

if __name__ == "__main__":
    main("services.flow.stage")
