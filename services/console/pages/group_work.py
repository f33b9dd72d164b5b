"""What each group of workers does, in words."""

from shared.bus.topics import TOPIC_BY_GROUP

WORK_BY_GROUP = {
    "ingest": "finds the face and cuts it out",
    "interpolator": "brings clips to one number of frames",
    "magnifier": "magnifies small motions",
    "flow": "measures how pixels move",
    "roi-au": "cuts out regions of the face",
    "planner": "divides a training into folds",
    "trainer": "trains and tests folds",
    "spotter": "finds expressions in videos",
    "recogniser": "says what they express",
}
assert WORK_BY_GROUP.keys() == TOPIC_BY_GROUP.keys()
