"""The refusals of routes, for their descriptions."""

from typing import Any

from services.console.problems import PROBLEM_TYPE

PROBLEMS = {
    400: "The name in the address is not one of `MER_API_HOSTS`.",
    401: "The token is missing or wrong.",
    403: "The person's role does not allow this, or a page of another site sent the request.",
    404: "There is no such run, file or dataset.",
    409: "Some clips have no features yet. Ask again later, or set `partial`.",
    413: "The request is larger than 1 MiB.",
    422: "The request is invalid, or no run can be trained on these clips with these settings.",
    503: "Broker or store did not answer in time. The same request may be sent again.",
}


def describe_problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The refusals of a route, for its description."""
    described: dict[int | str, dict[str, Any]] = {}
    for status in (400, 401, 403, *statuses, 503):
        described |= describe_problem(status, PROBLEMS[status])
    return described


def describe_problem(status: int, sentence: str) -> dict[int | str, dict[str, Any]]:
    """One refusal, for a route where it has a meaning of its own."""
    content = {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": sentence, "content": content}}
