"""What works on the messages of a topic: the loop, a stage's handler, the process around them."""

from shared.worker.loop import Abandoned, Output, Task, Worker

__all__ = ["Abandoned", "Output", "Task", "Worker"]
