"""Every error that merstream raises on purpose.

    MerError
    ├── BadData          the record itself cannot be processed: dead letter, never retried
    ├── MissingWeights   model weights are not on this machine: says how to get them
    ├── Unavailable      something around the record failed (broker, store, memory): retried
    └── Misconfigured    settings or command line make no sense: the process stops

A message names the record, what was expected, what was got and what to do.
"""

from pydantic import ValidationError


class MerError(Exception):
    """Base of every deliberate error."""


class BadData(MerError):
    """The record can't be processed, today or tomorrow. Its sentence is read by a person in the dead letters."""


class MissingWeights(MerError):
    """Weights are not in the cache; the sentence says how to fetch them and what their licence allows."""


class Unavailable(MerError):
    """Trouble around the record; trying again later can help."""


class Misconfigured(MerError):
    """A setting or an argument is wrong; trying again cannot help."""


def first_problem(error: ValidationError) -> tuple[str, object, str]:
    """The first problem of a validation: dotted field ("" for a rule over several fields), input value, message.

    The input of a rule over several fields holds all of them, secrets too. Do not print it.
    """
    first = error.errors(include_url=False)[0]
    return ".".join(map(str, first["loc"])), first["input"], first["msg"].removeprefix("Value error, ")
