"""The process of one trainer, as tests about videos step it."""

from tests.unit.trainer.lab import Trainer


class Recogniser(Trainer):
    """The process of one trainer, as far as videos are concerned."""

    def work(self) -> None:
        self.predictions.poll_topics()
        while self.recogniser.step():
            pass

    def states(self) -> dict[str, float | None]:
        names = ("watching", "computing", "recognising", "predicted", "failed", "lost")
        return {name: count for name in names if (count := self.value("mer_prediction_videos", state=name))}
