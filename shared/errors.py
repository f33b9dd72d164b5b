"""Every error that merstream raises deliberately.

    MerError
    ├── BadData          the record itself cannot be processed: dead letter, never retried
    ├── MissingWeights   model weights are not on this machine: the message says how to get them
    ├── Unavailable      something around the record failed (broker, store): retried
    ├── StorageRefused   a disk is full or a folder cannot be written: a command ends and continues later
    └── Misconfigured    a setting or an argument is wrong: the process stops

A message names the record, what was expected, what was found and what to do.
"""

from pydantic import ValidationError


class MerError(Exception):
    """Base of every deliberate error."""


class BadData(MerError):
    """The record cannot be processed, now or later. A person reads the message in the dead letters."""


class MissingWeights(MerError):
    """Weights are not in the cache. The message says how to download them and names their licence."""


class Unavailable(MerError):
    """Something around the record failed. A later attempt may succeed."""


class StorageRefused(MerError):
    """A disk or folder refuses for good: full, read-only, not permitted. The same command continues afterwards."""


class Misconfigured(MerError):
    """A setting or an argument is wrong. A later attempt cannot succeed."""


def first_problem(error: ValidationError) -> tuple[str, object, str]:
    """The first problem of a validation: dotted field ("" for a rule over several fields), input value, message.

    The input of a rule over several fields holds all of them, secrets too. Do not print it.
    """
    first = error.errors(include_url=False)[0]
    return ".".join(map(str, first["loc"])), first["input"], first["msg"].removeprefix("Value error, ")
