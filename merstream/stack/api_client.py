"""A client of the HTTP API of a stack. Its refusals become the errors of `shared.errors`."""

import json
import shutil
from pathlib import Path
from typing import Any

import urllib3
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.util import parse_url

from shared.errors import MerError, Misconfigured, Unavailable

CONNECT_SECONDS, READ_SECONDS = 5.0, 60.0
RETRYABLE_STATUSES = {409, 503}  # clips are in work; broker or store are away
INVALID_REQUEST_STATUSES = {401, 404, 422}


class StackApi:
    """The API at `url`, for example http://127.0.0.1:8080. Raises Misconfigured for a wrong URL.

    A call raises Unavailable if there is no answer or the API asks to try again, and Misconfigured if the request must
    be changed. Then the sentence is the API's own.
    """

    def __init__(self, url: str, token: str = "") -> None:
        self.url = _check_url(url)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
        self._pool = urllib3.PoolManager(headers=headers, timeout=timeout, retries=False)

    def get(self, path: str) -> Any:
        return self._request_json("GET", path)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        return self._request_json("POST", path, json=body)

    def delete(self, path: str) -> None:
        self._request_json("DELETE", path)

    def download_file(self, path: str, file: Path) -> None:
        """Write the answer to a file, never whole in memory."""
        try:
            answer = self._pool.request("GET", self.url + path, preload_content=False)
            if answer.status != 200:
                raise self._refusal_error(path, answer.status, answer.read())
            with file.open("wb") as stream:
                shutil.copyfileobj(answer, stream)
            answer.release_conn()
        except HTTPError as error:
            raise self._no_answer_error(error) from None

    def _request_json(self, method: str, path: str, **body: Any) -> Any:
        try:
            answer = self._pool.request(method, self.url + path, **body)
        except HTTPError as error:
            raise self._no_answer_error(error) from None
        if answer.status >= 400:
            raise self._refusal_error(path, answer.status, answer.data)
        if answer.status == 204:
            return None
        try:
            return json.loads(answer.data)
        except ValueError:
            raise self._foreign_answer_error(path, answer.status) from None

    def _refusal_error(self, path: str, status: int, body: bytes) -> MerError:
        try:
            sentence = str(json.loads(body)["detail"])
        except (ValueError, KeyError, TypeError):
            return self._foreign_answer_error(path, status)
        if status in INVALID_REQUEST_STATUSES:
            return Misconfigured(sentence)
        return Unavailable(sentence) if status in RETRYABLE_STATUSES else MerError(f"{self.url}: {sentence}")

    def _no_answer_error(self, error: HTTPError) -> Unavailable:
        return Unavailable(
            f"{self.url}: no answer ({error}). Check that the stack is up and that this is the address of its API."
        )

    def _foreign_answer_error(self, path: str, status: int) -> Misconfigured:
        return Misconfigured(f"{self.url}{path} answers {status} and not as merstream's API does. Check the address.")


def _check_url(url: str) -> str:
    """The URL without a slash at its end. Raises Misconfigured if it is none."""
    try:
        parsed = parse_url(url)
    except LocationParseError:
        parsed = parse_url("")
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise Misconfigured(f"{url!r}: expected the address of a stack's API, for example http://127.0.0.1:8080.")
    return url.rstrip("/")
