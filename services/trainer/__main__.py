"""`python -m services.trainer`: one trainer, which starts runs, plans them and trains their folds."""

from services.trainer.loops import loops
from shared.service import serve

if __name__ == "__main__":
    serve(loops)
