from services.interpolator.stage import STAGE
from shared.service import main

if __name__ == "__main__":
    main(STAGE)
