from services.roi_au.stage import STAGE
from shared.worker.process import main

if __name__ == "__main__":
    main(STAGE)
