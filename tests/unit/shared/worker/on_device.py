"""A stage in a child process that computes on a device of the test's choice."""

import os

from shared.worker.child_handler import HandlerTools, build_stage_handler
from shared.worker.loop import MessageHandler


def build_handler_on_device(device: str, module: str, tools: HandlerTools) -> MessageHandler:
    """The handler of a stage, with `MER_DEVICE` set here: the process that children are forked from may be older."""
    os.environ["MER_DEVICE"] = device
    return build_stage_handler(module, tools)
