"""`S3Store`: keys are objects of one bucket on any S3 server (MinIO, SeaweedFS, Ceph, AWS), by the minio client.

A put is one PUT, which S3 makes visible whole or not at all. Errors of the server become errors of `shared.errors`. A
server that fails or does not answer is Unavailable: the caller retries. A lasting refusal is Misconfigured.
"""

import hashlib
import io
import shutil
import ssl
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any, cast
from xml.etree.ElementTree import ParseError, fromstring

import urllib3
from minio import Minio, MinioAdmin
from minio.credentials.providers import StaticProvider
from minio.datatypes import ListPartsResult, Part
from minio.error import InvalidResponseError, S3Error, ServerError
from minio.notificationconfig import NotificationConfig, QueueConfig

from shared.errors import BadData, MerError, Misconfigured, Unavailable
from shared.store import PIECE, NotStored, ObjectInfo, check_key
from shared.store.parts import PartedPut, PartInfo, check_parts

LARGEST_PUT_BYTES = 5 * 1024**3  # S3's limit of a single PUT. The client sends more in parts, visible with the last one
PART_BYTES = 64 << 20  # larger files are uploaded in parts of this size

_SIGNED_FOR = timedelta(hours=1)
TEMPORARY_STATUSES = {408, 425, 429}  # HTTP statuses below 500 that ask for another attempt
# Failures of transport or under load. Some servers give them a status that says otherwise.
PASSING_CODES = {
    "BadDigest",
    "IncompleteBody",
    "OperationAborted",
    "RequestTimeout",
    "SlowDown",
    "XAmzContentSHA256Mismatch",
}
UNFIT_KEY_CODES = {"InvalidObjectName", "InvalidURI", "KeyTooLongError", "XMinioInvalidObjectName"}
BUCKET_EXISTS_CODES = {"BucketAlreadyExists", "BucketAlreadyOwnedByYou"}
# Answers of servers without such a target or without notifications. SeaweedFS takes the request for a new bucket.
NO_NOTIFICATION_CODES = {"InvalidArgument", "MethodNotAllowed", "NotImplemented", *BUCKET_EXISTS_CODES}


class S3Store:
    """One bucket. Several threads may share it, a forked process needs its own."""

    def __init__(
        self,
        endpoint: str,
        bucket: str,
        access_key: str,
        secret_key: str,
        region: str = "us-east-1",
        secure: bool = True,
        path_style: bool = True,
        ca_bundle: Path | None = None,
        connect_seconds: float = 3.0,
        read_seconds: float = 30.0,
    ) -> None:
        """`endpoint` is host:port. `ca_bundle` is a PEM file, by default the system's. Sends no request yet."""
        self.endpoint, self.bucket, self.region = endpoint, bucket, region
        self._http = _ChunkedPoolManager(
            timeout=urllib3.Timeout(connect=connect_seconds, read=read_seconds),
            retries=False,  # the worker retries
            maxsize=16,
            **(_tls_options(ca_bundle) if secure else {}),
        )
        try:
            if not endpoint:
                raise ValueError("it is empty")
            self._login: dict[str, Any] = {"credentials": StaticProvider(access_key, secret_key), "secure": secure}
            self._client = Minio(endpoint, region=region, http_client=self._http, **self._login)
        except ValueError as error:
            raise Misconfigured(f"{endpoint!r} is no S3 endpoint: {error}. Give host:port, without scheme.") from None
        style = (
            self._client.disable_virtual_style_endpoint if path_style else self._client.enable_virtual_style_endpoint
        )
        cast(Callable[[], None], style)()
        self._bucket_found = False

    def put(self, key: str, data: bytes) -> None:
        check_key(key)
        self._require_bucket()
        with self._translate_errors(key):
            self._client.put_object(self.bucket, key, io.BytesIO(data), len(data), part_size=LARGEST_PUT_BYTES)

    def get(self, key: str) -> bytes:
        _check_stored_key(key)
        self._require_bucket()
        with self._translate_errors(key):
            response = self._client.get_object(self.bucket, key)
            try:
                return response.read()
            finally:
                # A connection with unread bytes cannot carry another request.
                response.close()
                response.release_conn()

    def put_file(self, key: str, file: Path) -> None:
        check_key(key)
        self._require_bucket()
        with file.open("rb") as source, self._translate_errors(key):
            self._client.put_object(self.bucket, key, source, file.stat().st_size, part_size=PART_BYTES)

    def fetch_file(self, key: str, file: Path) -> None:
        _check_stored_key(key)
        self._require_bucket()
        with file.open("wb") as stream, self._translate_errors(key):
            response = self._client.get_object(self.bucket, key)
            try:
                shutil.copyfileobj(response, stream, PIECE)
            finally:
                response.close()
                response.release_conn()

    # Parts are sent to signed addresses, because the client has public methods for whole objects alone.
    def begin_put(self, key: str, part_bytes: int) -> PartedPut:
        check_key(key)
        self._require_bucket()
        answer = self._send_signed("POST", key, {"uploads": ""})
        return PartedPut(key, fromstring(answer.data).findtext("{*}UploadId", ""), part_bytes)

    def put_part(self, put: PartedPut, number: int, part: IO[bytes]) -> None:
        digest = hashlib.md5(usedforsecurity=False)
        for piece in iter(lambda: part.read(PIECE), b""):
            digest.update(piece)
        headers = {"Content-Length": str(part.tell()), "Content-MD5": b64encode(digest.digest()).decode()}
        part.seek(0)
        pieces = iter(lambda: part.read(PIECE), b"")
        self._send_signed("PUT", put.key, {"uploadId": put.id, "partNumber": str(number)}, pieces, headers)

    def list_parts(self, put: PartedPut) -> list[PartInfo]:
        found: dict[int, PartInfo] = {}  # SeaweedFS lists a part twice that was sent twice
        while True:
            marker = str(max(found, default=0))
            query = {"uploadId": put.id, "max-parts": "1000", "part-number-marker": marker}
            page = ListPartsResult(self._send_signed("GET", put.key, query))
            found |= {part.part_number: _part_info_from(part) for part in page.parts}
            if not (page.is_truncated and page.parts):
                return [found[number] for number in sorted(found)]

    def finish_put(self, put: PartedPut) -> None:
        parts = self.list_parts(put)
        check_parts(put, parts)
        named = "".join(
            f"<Part><PartNumber>{part.number}</PartNumber><ETag>{part.etag}</ETag></Part>" for part in parts
        )
        body = f"<CompleteMultipartUpload>{named}</CompleteMultipartUpload>".encode()
        self._send_signed("POST", put.key, {"uploadId": put.id}, body, {"Content-Length": str(len(body))})

    def abandon_put(self, put: PartedPut) -> None:
        with suppress(NotStored):
            self._send_signed("DELETE", put.key, {"uploadId": put.id})

    def exists(self, key: str) -> bool:
        self._require_bucket()
        try:
            with self._translate_errors(key):
                self._client.stat_object(self.bucket, key)
        except NotStored:
            return False
        return True

    def list_keys(self, prefix: str = "") -> Iterator[str]:
        # SeaweedFS lists by folder: `a/b` before `a-b`.
        return iter(sorted(entry.key for entry in self.list_objects(prefix)))

    def list_objects(self, prefix: str = "") -> Iterator[ObjectInfo]:
        self._require_bucket()
        with self._translate_errors():
            for found in self._client.list_objects(self.bucket, prefix, recursive=True):
                yield _object_info_from(found)

    def list_top(self) -> tuple[list[str], list[ObjectInfo]]:
        self._require_bucket()
        with self._translate_errors():
            found = list(self._client.list_objects(self.bucket))
        folders = [str(entry.object_name).rstrip("/") for entry in found if entry.is_dir]
        return folders, [_object_info_from(entry) for entry in found if not entry.is_dir]

    def delete(self, key: str) -> None:
        self._require_bucket()
        with self._translate_errors(key):
            self._client.remove_object(self.bucket, key)

    def ensure_bucket(self) -> None:
        """Create the bucket unless it exists."""
        with self._translate_errors():
            if not self._client.bucket_exists(self.bucket):
                try:
                    self._client.make_bucket(self.bucket, self.region)
                except S3Error as error:
                    if error.code not in BUCKET_EXISTS_CODES:  # another process was quicker
                        raise
            self._bucket_found = True

    def notify_kafka(self, target: str, events: Sequence[str]) -> str:
        """Let the server tell Kafka of `events` in this bucket. `target` is the server's name (ARN) of the Kafka topic.

        Other notifications of the bucket stay. Returns "", or the error code of a server that cannot do it.
        """
        with self._translate_errors():
            try:
                config = self._client.get_bucket_notification(self.bucket)
                if target not in [queue.queue for queue in config.queue_config_list]:
                    queues = [*config.queue_config_list, QueueConfig(list(events), queue=target)]
                    others = config.cloud_func_config_list, config.topic_config_list
                    new_config = NotificationConfig(others[0], queues, others[1])
                    self._client.set_bucket_notification(self.bucket, new_config)
            except S3Error as refusal:
                if refusal.code not in NO_NOTIFICATION_CODES:
                    raise
                return str(refusal.code)
        return ""

    def open_admin(self) -> MinioAdmin:
        """MinIO's interface for users and policies, with this store's login."""
        return MinioAdmin(endpoint=self.endpoint, region=self.region, http_client=self._http, **self._login)

    def close(self) -> None:
        """Close idle connections."""
        self._http.clear()

    def _send_signed(self, method: str, key: str, query: dict[str, Any], body: Any = None, headers: Any = None) -> Any:
        """The answer to a request that is signed in its address. An error may come with the status 200, too."""
        with self._translate_errors(key):
            address = self._client.get_presigned_url(
                method, self.bucket, key, _SIGNED_FOR, extra_query_params={**query}
            )
            answer = self._http.urlopen(method, address, body=body, headers=headers, redirect=False)
            if answer.status >= 300 or b"<Error>" in answer.data[:200]:
                raise S3Error.fromxml(answer)
            return answer

    def _require_bucket(self) -> None:
        """Check once that the bucket exists. HEAD answers alike without bucket or key. Some servers create buckets."""
        if not self._bucket_found:
            with self._translate_errors():
                next(iter(self._client.list_objects(self.bucket)), None)
            self._bucket_found = True

    @contextmanager
    def _translate_errors(self, key: str | None = None) -> Iterator[None]:
        """Translate every error of client and server into one of `shared.errors`."""
        location = f"S3 store {self.endpoint}, bucket {self.bucket!r}"
        try:
            yield
        except S3Error as error:
            raise _refusal_error(error, location, key) from None
        except InvalidResponseError as error:
            raise _invalid_response_error(error, location) from None
        except (ServerError, ParseError) as error:
            raise Unavailable(f"{location}: {error}.") from None
        except urllib3.exceptions.SSLError as error:
            raise _tls_error(error, location) from None
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unavailable(f"{location} does not answer: {error}.") from None
        except ValueError as error:
            raise Misconfigured(f"{location}: {error}. Check endpoint, bucket and key.") from None


def _check_stored_key(key: str) -> None:
    """Raise NotStored for a key that the client refuses: a record may name any."""
    escaped = any("\ud800" <= letter <= "\udfff" for letter in key)
    if not key or "\0" in key or escaped or {".", ".."} & set(key.split("/")):
        raise NotStored(key)


class _ChunkedPoolManager(urllib3.PoolManager):
    """Sends a body in pieces: the time limit of a socket is that of one send, and a whole artifact may take longer."""

    def urlopen(self, *args: Any, **kw: Any) -> Any:
        if (body := kw.get("body")) and not isinstance(body, Iterator):
            whole = memoryview(body)
            kw["body"] = [whole[start : start + PIECE] for start in range(0, len(whole), PIECE)]
        return super().urlopen(*args, **kw)


def _tls_options(ca_bundle: Path | None) -> dict[str, Any]:
    try:
        ssl.create_default_context(cafile=ca_bundle)
    except OSError as error:  # ssl.SSLError is one
        raise Misconfigured(
            f"The CA bundle {ca_bundle} cannot be used: {error}. Give a file of PEM certificates."
        ) from None
    return {"cert_reqs": "CERT_REQUIRED", "ca_certs": str(ca_bundle) if ca_bundle else None}


def _object_info_from(found: Any) -> ObjectInfo:
    return ObjectInfo(found.object_name, found.size or 0, (found.etag or "").strip('"'), found.last_modified)


def _part_info_from(part: Part) -> PartInfo:
    return PartInfo(part.part_number, part.size or 0, part.etag, part.last_modified or datetime.now(UTC))


def _refusal_error(error: S3Error, location: str, key: str | None) -> MerError:
    """The error of ours for an S3 error, by its code and its HTTP status."""
    status, answer = error.response.status, f"{error.code}: {error.message}"
    if error.code == "NoSuchBucket":
        return Misconfigured(f"{location}: there is no such bucket. Create it or correct the bucket's name.")
    if status >= 500 or status in TEMPORARY_STATUSES or error.code in PASSING_CODES:
        return Unavailable(f"{location}: {answer}.")
    if key is not None and status == 404:
        return NotStored(key)
    if key is not None and error.code in UNFIT_KEY_CODES:
        return BadData(f"{location} refuses the key {key!r} ({answer}). Shorten the names of dataset, subject or clip.")
    if status in (401, 403):
        return Misconfigured(
            f"{location} refuses these credentials ({answer}). Check access key, secret key and policy."
        )
    return Misconfigured(f"{location}: {answer}. Check endpoint, region and path style.")


def _invalid_response_error(error: InvalidResponseError, location: str) -> MerError:
    status = error._code  # the client has no public name for it
    if status >= 500 or status in TEMPORARY_STATUSES:  # the page of a proxy while its server does not answer
        return Unavailable(f"{location}: HTTP status {status}.")
    return Misconfigured(
        f"{location} does not answer like an S3 server (HTTP status {status}). Check endpoint, port and TLS."
    )


def _tls_error(error: urllib3.exceptions.SSLError, location: str) -> MerError:
    cause = error.args[0] if error.args else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return Misconfigured(f"{location}: its certificate is not trusted: {cause}. Give the CA bundle that signs it.")
    if isinstance(cause, ssl.SSLError) and cause.reason == "WRONG_VERSION_NUMBER":
        return Misconfigured(f"{location} does not speak TLS. Turn TLS off for it, or correct the port.")
    return Unavailable(f"{location}: TLS failed: {error}.")
