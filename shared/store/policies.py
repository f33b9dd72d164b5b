"""Users and policies on a MinIO server, one of each per service. Another S3 server gets them from its operator."""

from collections.abc import Iterable, Mapping
from typing import Any

from minio.error import MinioAdminException
from urllib3.exceptions import HTTPError

from shared.errors import Misconfigured, Unavailable
from shared.service_access import ACCESS, USER_PREFIX, ServiceAccess
from shared.settings import Settings
from shared.store.s3 import S3Store

_READ = ("s3:GetObject",)
_WRITE = ("s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
_DELETE = ("s3:DeleteObject",)
_LIST = ("s3:ListBucket", "s3:GetBucketLocation", "s3:ListBucketMultipartUploads")


def store_policy(access: ServiceAccess, settings: Settings) -> dict[str, Any]:
    """The policy of a service as S3's policy language has it. Whoever may read in a bucket may list its names."""
    uploads = [getattr(settings, name) for name in access.uploads]
    filled = [getattr(settings, name) for name in access.fills]
    buckets = [*([settings.s3_bucket] if access.reads else []), *uploads, *filled]
    held = [f"{bucket}/*" for bucket in uploads]
    changed = held if access.changes_uploads else []
    statements = [
        (_LIST, buckets),
        (_READ, [*_keys_in(settings.s3_bucket, access.reads), *held]),
        (_WRITE, [*_keys_in(settings.s3_bucket, access.writes), *changed, *(f"{bucket}/*" for bucket in filled)]),
        (_DELETE, [*_keys_in(settings.s3_bucket, access.deletes), *changed]),
    ]
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": list(actions), "Resource": [f"arn:aws:s3:::{each}" for each in resources]}
            for actions, resources in statements
            if resources
        ],
    }


def grant_store_access(store: S3Store, settings: Settings, passwords: Mapping[str, str]) -> None:
    """Create or correct a user and a policy for each service. The login of `store` must be an administrator's.

    Raises Misconfigured if the server has no such interface or refuses, and Unavailable if it does not answer.
    """
    admin = store.open_admin()
    try:
        admin.policy_list()  # another server would take the next request for an upload into a bucket `minio`
        for service, password in passwords.items():
            policy, user = store_policy(ACCESS[service], settings), USER_PREFIX + service
            if policy["Statement"]:
                admin.policy_add(user, policy=policy)
                admin.user_add(user, password)
                admin.policy_set(user, user=user)
    except MinioAdminException as refusal:
        if refusal._code.startswith("5"):  # the client has no public name for it
            raise Unavailable(f"S3 store {store.endpoint}: {refusal}.") from None
        raise Misconfigured(
            f"S3 store {store.endpoint}: expected MinIO's interface for users, got {refusal}. Leave "
            "MER_SERVICE_PASSWORDS empty and create the users yourself: `python -m shared.setup --policies` prints "
            "their policies."
        ) from None
    except (HTTPError, OSError) as error:
        raise Unavailable(f"S3 store {store.endpoint} does not answer: {error}.") from None


def _keys_in(bucket: str, patterns: Iterable[str]) -> list[str]:
    return [f"{bucket}/{pattern}" for pattern in patterns]
