"""What each service may do on the store and on the bus: the source of the store's policies and of Kafka's ACLs.

A service may write only under its own prefixes and delete only what it makes anew. Nobody but a person may delete
uploads or sources, and the service `withdrawal` for a person who asks in the console. The console takes uploads of
people, so it may put files beside them, also in place of earlier ones.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from shared.bus.topics import (
    BUCKET_EVENTS,
    CLIPS,
    DATASETS,
    FEATURES,
    FLOWS,
    FOLDS,
    IMAGE_STAGES,
    INTERPOLATED,
    MAGNIFIED,
    PREDICTIONS,
    RECOGNITIONS,
    RESULTS,
    RUNS,
    SOURCES,
    SPOTTED,
    TOPIC_BY_GROUP,
    TOPICS,
    VIDEOS,
    Topic,
    dead_letter_topic,
)
from shared.errors import Misconfigured

USER_PREFIX = "mer-"  # names of the services' users on both servers begin so
PERSON = "person"  # somebody with the command `mer`
NOTIFIER = "notifier"  # the store itself, which notifies Kafka of uploads
EVERY = "*"
_ALL_TOPICS = tuple(TOPICS.values())


@dataclass(frozen=True)
class ServiceAccess:
    """Patterns of keys in the bucket of artifacts, buckets of uploads (by their setting), topics and groups."""

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    deletes: tuple[str, ...] = ()
    uploads: tuple[str, ...] = ()
    changes_uploads: bool = False
    fills: tuple[str, ...] = ()  # buckets of uploads into which it may put files, without reading or deleting any
    consumes: tuple[Topic, ...] = ()
    produces: tuple[Topic, ...] = ()
    erases: tuple[Topic, ...] = ()  # topics whose processed messages it may delete, for `mer forget`
    groups: tuple[str, ...] = ()
    describes_groups: bool = False


def _worker_access(group: str, **given: Any) -> ServiceAccess:
    """A worker also reads its topic, counts its attempts and moves records to its dead letters."""
    own = {name: (*given.get(name, ()), f"attempts/{group}/*") for name in ("reads", "writes", "deletes")}
    topics = {
        "consumes": (*given.get("consumes", ()), TOPICS[TOPIC_BY_GROUP[group]]),
        "produces": (*given.get("produces", ()), dead_letter_topic(group)),
    }
    own["writes"] = (*own["writes"], f"dead-letters/{group}/*")
    return ServiceAccess(**{**given, **own, **topics, "groups": (group,)})


def _stage_access(stage: str, produced: Topic, deleted: str = "json") -> ServiceAccess:
    """A stage sends a clip back to its source and deletes manifests whose array is gone. roi-au deletes arrays, too."""
    clips = tuple(f"{each}/*" for each in ("source", *IMAGE_STAGES))
    deletes = tuple(f"{each}/*{deleted}" for each in IMAGE_STAGES)
    return _worker_access(stage, reads=clips, writes=(f"{stage}/*",), deletes=deletes, produces=(produced, SOURCES))


_EVERYTHING = ServiceAccess(
    reads=("*",),
    writes=("*",),
    deletes=("*",),
    uploads=("inbox_bucket", "videos_bucket"),
    changes_uploads=True,
    consumes=_ALL_TOPICS,
    produces=_ALL_TOPICS,
    erases=(*(TOPICS[TOPIC_BY_GROUP[group]] for group in IMAGE_STAGES), FOLDS),  # those without state
    describes_groups=True,
)

ACCESS = {
    "inbox": ServiceAccess(
        reads=("*",),
        writes=("inbox*", "source/*", "datasets/*", "attempts/inbox/*"),
        deletes=("inbox*", "datasets/*", "attempts/inbox/*"),
        uploads=("inbox_bucket", "videos_bucket"),
        consumes=_ALL_TOPICS,
        produces=(DATASETS, SOURCES, VIDEOS, SPOTTED, FEATURES),  # it takes back the features of what was removed
        groups=("inbox", "video-inbox"),
        describes_groups=True,
    ),
    "ingest": _stage_access("ingest", CLIPS),
    "spotter": _worker_access(
        "spotter",
        reads=("spotter/*", "source/*", "predictions/*"),
        writes=("spotter/*", "source/*", "predictions/*/refused.json"),
        deletes=("spotter/*", "predictions/*/refused.json"),
        uploads=("videos_bucket",),
        consumes=(VIDEOS,),
        produces=(SOURCES, SPOTTED),
    ),
    "interpolator": _stage_access("interpolator", INTERPOLATED),
    "magnifier": _stage_access("magnifier", MAGNIFIED),
    "flow": _stage_access("flow", FLOWS),
    "roi-au": _stage_access("roi-au", FEATURES, deleted=""),
    "planner": _worker_access(
        "planner",
        reads=("*",),
        writes=("runs/*", "recognitions/*"),
        consumes=_ALL_TOPICS,
        produces=(RUNS, FOLDS, RESULTS, RECOGNITIONS),
        describes_groups=True,  # where nothing waits, a clip without features is lost
    ),
    "console": ServiceAccess(
        reads=("*",),
        writes=("runs/*", "uploads/*", "withdrawals/*/request.json"),
        deletes=("runs/*", "reports/*", "folds/*", "uploads/*"),  # people with the highest role delete runs
        fills=("inbox_bucket", "videos_bucket"),
        consumes=_ALL_TOPICS,
        # It starts, ends and deletes runs, takes back the ending of one that starts again, and replays and discards
        # dead letters.
        produces=(
            RESULTS,
            *(TOPICS[topic] for topic in TOPIC_BY_GROUP.values()),
            *(dead_letter_topic(group) for group in TOPIC_BY_GROUP),
        ),
        describes_groups=True,
    ),
    "trainer": _worker_access(
        "trainer",
        reads=("*",),
        writes=("folds/*", "reports/*", "courses/*"),
        deletes=("folds/*.checkpoint.safetensors", "courses/*"),
        produces=(RESULTS,),
    ),
    "recogniser": _worker_access(
        "recogniser",
        reads=("*",),
        writes=("predictions/*",),
        deletes=("predictions/*/refused.json",),
        produces=(PREDICTIONS,),
    ),
    NOTIFIER: ServiceAccess(produces=(BUCKET_EVENTS,)),
    # It removes datasets and persons for people with the highest role who ask in the console. Videos it does not.
    "withdrawal": replace(_EVERYTHING, uploads=("inbox_bucket",)),
    PERSON: _EVERYTHING,
}


def bus_rights(service: str) -> Iterator[tuple[str, str, str]]:
    """Kind of resource, its name and the operation that Kafka is to allow.

    A right to read or write also lets a service ask for the description of a topic or a group.
    """
    access = ACCESS[service]
    yield from (("TOPIC", topic.name, "READ") for topic in access.consumes)
    yield from (("TOPIC", topic.name, "WRITE") for topic in access.produces)
    yield from (("TOPIC", topic.name, "DELETE") for topic in access.erases)
    yield from (("GROUP", group, "READ") for group in access.groups)
    if access.describes_groups:
        yield "GROUP", EVERY, "DESCRIBE"


def parse_passwords(text: str) -> dict[str, str]:
    """Passwords by service, from `service=password` separated by commas. Raises Misconfigured without showing any."""
    passwords = dict(part.strip().partition("=")[::2] for part in text.split(",") if part.strip())
    wrong = sorted(passwords.keys() - ACCESS.keys()) + sorted(name for name in passwords if not passwords[name])
    if wrong:
        raise Misconfigured(
            f"MER_SERVICE_PASSWORDS: expected service=password with the services {', '.join(ACCESS)}, got {len(wrong)} "
            "parts that are something else."
        )
    return passwords
