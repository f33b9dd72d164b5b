"""One person under two names: found among the clips of a run before anything is computed, and refused."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from shared.errors import BadData
from shared.person_names import find_spellings
from shared.protocols.base import person_pool

MAX_NAMED_PEOPLE = 10  # people that a message names. The others are counted


def find_same_people(
    people: Iterable[tuple[str, str]],
    datasets: Mapping[str, str] | None = None,
    group_key: Callable[[str], str] = str,
) -> list[tuple[str, ...]]:
    """("lab/01", "lab/1") for each person who may stand under several names, among (dataset, subject) of clips.

    Names are compared within a dataset, and between datasets of one name in two spellings. `datasets` gives catalogue
    names as in `dataset_key`. Names with one `group_key` of "dataset/subject" do no harm: they are tested together.
    """
    pools: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for dataset, subject in people:
        pools[person_pool(dataset, datasets)].add((dataset, subject))
    found = [tuple(map("/".join, same)) for pool in pools.values() for same in find_spellings(pool)]
    return sorted(same for same in found if len(set(map(group_key, same))) > 1)


def refuse_same_people(same_people: Sequence[Sequence[str]]) -> None:
    """Raises BadData for any names of `find_same_people`: the person would be trained on and tested."""
    if not same_people:
        return
    more = len(same_people) - MAX_NAMED_PEOPLE
    named = "; ".join(map(" and ".join, same_people[:MAX_NAMED_PEOPLE])) + (f"; and {more} more" if more > 0 else "")
    twice = any(len({name.partition("/")[0] for name in same}) > 1 for same in same_people)
    renamed = "Or leave out a dataset that has two names: delete its rows, or `mer forget NAME --out FOLDER`. "
    raise BadData(
        f"{named}: one person under two names would be trained on and tested. Write the name in one way. "
        f"{renamed if twice else ''}"
        "If all of them are different people, say so with --distinct (in Python distinct=True, in merstream.json "
        '"train": {"distinct": true}).'
    )
