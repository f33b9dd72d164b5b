"""The folds of a protocol. No person is in both the training part and the test part of a fold."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from shared.errors import BadData, Misconfigured
from shared.names import spelling_key
from shared.person_names import PersonName, parse_person_name
from shared.protocols import EvaluationProtocol, catalogue, dataset_key, find_same_people, refuse_same_people
from shared.records import FrozenModel

GENERIC_PROTOCOLS = ("loso", "k-fold", "split")  # for any data; the others are in shared/protocols/catalogue.py
GROUP_PLURALS = {"subject": "people", "dataset": "datasets"}
MOST_FOLDS = 10_000  # of all seeds of a run: 656 people of the largest dataset with 15 seeds
POOLED_PREDICTIONS = "predictions pooled over all folds"


class ProtocolSettings(FrozenModel):
    """How clips are divided into training parts and test parts."""

    name: str = Field(
        "loso", description=f"{', '.join(GENERIC_PROTOCOLS)}, or a named protocol of shared/protocols/catalogue.py."
    )
    folds: int = Field(5, ge=2, le=1000, description="k-fold: number of folds.")
    fold_seed: int = Field(
        0, ge=0, le=2**32 - 1, description="k-fold: seed that draws the folds; the same for every seed of the training."
    )
    test_subjects: tuple[str, ...] = Field((), description="split: subjects to test, by name or as dataset/subject.")
    datasets: dict[str, str] = Field(
        default_factory=dict, description='Catalogue name by dataset name: {"lab copy": "casme2"}.'
    )
    allow_other_counts: bool = Field(False, description="Accept data whose counts differ from a named protocol's.")
    distinct: bool = Field(False, description="Names of people in like spellings are different people.")

    @model_serializer(mode="wrap")
    def _leave_out_default(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """`distinct` only where it is set: other runs keep the ids and files that they had without this field."""
        return {name: value for name, value in serialize(self).items() if name != "distinct" or value}

    @property
    def named_protocol(self) -> EvaluationProtocol | None:
        """The protocol of the catalogue; None for a generic protocol."""
        return None if self.name in GENERIC_PROTOCOLS else catalogue.protocol_by_name(self.name)

    @property
    def hold_out(self) -> str:
        return self.named_protocol.hold_out if self.named_protocol else "subject"

    @property
    def title(self) -> str:
        """The protocol in words, for reports."""
        if self.name == "k-fold":
            return f"{self.folds}-fold by subject, stratified by emotion, {POOLED_PREDICTIONS}"
        if self.name == "split":
            return f"fixed split, {len(self.test_subjects)} of the subjects tested, all others trained on"
        out = f"leave-one-{self.hold_out}-out, {POOLED_PREDICTIONS}"
        return f"{self.named_protocol.title}; {out}" if self.named_protocol else out

    def group_key(self, subject: str) -> str:
        """The group of a `dataset/subject`: clips of one group are tested in the same fold."""
        dataset, _, person = subject.partition("/")
        key = dataset_key(dataset, self.datasets) or dataset
        return key if self.hold_out == "dataset" else f"{key}/{person}" if self.named_protocol else subject

    def find_same_people(self, subjects: Iterable[str]) -> list[tuple[str, ...]]:
        """The names among `dataset/subject` that may be one person, as `shared.protocols.find_same_people` does."""
        people = [(dataset, person) for dataset, _, person in (subject.partition("/") for subject in subjects)]
        return find_same_people(people, self.datasets, self.group_key)

    def refuse_same_people(self, subjects: Iterable[str]) -> None:
        """Raises BadData for one person under two names of `dataset/subject`, unless they are `distinct`."""
        if not self.distinct:
            refuse_same_people(self.find_same_people(subjects))


LOSO_PROTOCOL = ProtocolSettings()


@dataclass(frozen=True)
class FoldSplit:
    """The name of the held-out group, and the clips to train on and to test.

    groups: [N] the number of each clip's group, the same array in all folds of a protocol. tested: the held-out number.
    """

    held_out: str
    groups: NDArray[np.intp]
    tested: int

    @property
    def train(self) -> NDArray[np.intp]:
        """Indices of the clips to train on, ascending."""
        return np.flatnonzero(self.groups != self.tested)

    @property
    def test(self) -> NDArray[np.intp]:
        """Indices of the clips to test, ascending."""
        return np.flatnonzero(self.groups == self.tested)


def check_protocol(protocol: ProtocolSettings) -> ProtocolSettings:
    """Returns the protocol. Raises Misconfigured for an unknown name, and for fields that this protocol ignores."""
    if protocol.name not in GENERIC_PROTOCOLS:
        try:
            catalogue.protocol_by_name(protocol.name)
        except Misconfigured as error:
            raise Misconfigured(f"{error} Any data: {', '.join(GENERIC_PROTOCOLS)}.") from None
    given = protocol.model_fields_set
    for names, owner in ((("folds", "fold_seed"), "k-fold"), (("test_subjects",), "split")):
        if foreign := [name for name in names if name in given and protocol.name != owner]:
            raise Misconfigured(
                f"{foreign[0]} belongs to protocol {owner}, got protocol {protocol.name}. Leave {foreign[0]} out."
            )
    if protocol.name == "split" and not protocol.test_subjects:
        raise Misconfigured("Protocol split needs test_subjects: the names of those to test on.")
    return protocol


def protocol_folds(
    protocol: ProtocolSettings,
    subjects: Sequence[str] | NDArray[Any],
    classes: Sequence[int] | NDArray[Any],
    seeds: int = 1,
) -> list[FoldSplit]:
    """The folds of N clips with subjects [N] (`dataset/subject`) and class indices [N], sorted by held-out name.

    Raises BadData for too few subjects or datasets, for one person under two names, and if the folds of all `seeds`
    are more than MOST_FOLDS.
    """
    folds = _divide_clips(protocol, subjects, classes)
    if len(folds) * seeds > MOST_FOLDS:
        raise BadData(
            f"Expected at most {MOST_FOLDS:,} folds for all seeds of a run, got {len(folds):,} of protocol "
            f"{protocol.name} for each of {seeds}. Choose fewer seeds, or a protocol with fewer folds such as k-fold. "
            "If a dataset names a clip as each subject, correct its sheet."
        )
    return folds


def _divide_clips(
    protocol: ProtocolSettings, subjects: Sequence[str] | NDArray[Any], classes: Sequence[int] | NDArray[Any]
) -> list[FoldSplit]:
    subjects = np.asarray(subjects)
    protocol.refuse_same_people(np.unique(subjects).tolist())
    if protocol.name == "k-fold":
        return stratified_k_folds(subjects, classes, protocol.folds, protocol.fold_seed)
    if protocol.name == "split":
        return [fixed_split(subjects, protocol.test_subjects)]
    if protocol.named_protocol is None:
        return loso_folds(subjects)
    groups = np.array([protocol.group_key(subject) for subject in subjects.tolist()])
    return _leave_one_group_out(groups, protocol.hold_out)


def loso_folds(subjects: Sequence[Any] | NDArray[Any]) -> list[FoldSplit]:
    """One fold per subject of subjects [N], sorted by name. Raises BadData for fewer than two subjects."""
    return _leave_one_group_out(np.asarray(subjects), "subject")


def stratified_k_folds(
    subjects: NDArray[Any], classes: Sequence[int] | NDArray[Any], fold_count: int, seed: int
) -> list[FoldSplit]:
    """Folds of whole subjects with similar shares of every class, from subjects [N] and class indices [N].

    Greedy: subjects with the largest shares of the classes come first. Each goes to the fold whose classes are least
    like its own. Raises BadData for fewer subjects than folds.
    """
    names, subject_of_clip = np.unique(subjects, return_inverse=True)
    if len(names) < fold_count:
        raise BadData(
            f"Expected at least {fold_count} subjects for {fold_count} folds, got {len(names)}: "
            f"{', '.join(map(str, names)) or 'none'}. Choose fewer folds, or loso."
        )
    table = np.zeros((len(names), int(np.max(classes)) + 1))
    np.add.at(table, (subject_of_clip, np.asarray(classes)), 1)
    shares = table / np.maximum(table.sum(0), 1)  # [S,C] share of each class
    drawn = np.random.default_rng(seed).permutation(len(names))
    fold = np.zeros(len(names), int)
    load, sizes = np.zeros((fold_count, shares.shape[1])), np.zeros(fold_count, int)
    for subject in drawn[np.argsort(-shares[drawn].sum(1).round(9), kind="stable")]:
        alike = (load * shares[subject]).sum(1).round(9)
        chosen = np.lexsort((sizes, alike))[0]  # an empty fold is like no subject, so none stays empty
        fold[subject], load[chosen], sizes[chosen] = chosen, load[chosen] + shares[subject], sizes[chosen] + 1
    fold_of_clip = fold[subject_of_clip]
    return [FoldSplit(f"fold-{number + 1}", fold_of_clip, number) for number in range(fold_count)]


def fixed_split(subjects: NDArray[Any], test_subjects: Sequence[str]) -> FoldSplit:
    """One fold that tests the named subjects of subjects [N].

    Raises BadData for a name that fits no subject or several, and if no subject is left to train on.
    """
    known = np.unique(subjects).tolist()
    chosen = {_match_one_subject(name, known) for name in test_subjects}
    test = np.isin(subjects, sorted(chosen))
    if test.all():
        raise BadData(f"Expected subjects to train on, got a split that tests all {len(known)}. Name fewer.")
    return FoldSplit("test", test.astype(np.intp), 1)


def _match_one_subject(name: str, subjects: Sequence[str]) -> str:
    """The one `dataset/subject` that the name fits: exactly, by its spelling key, or as a name of one person."""
    for spelling in (str, spelling_key, _person_key):
        same: Callable[[str], object] = spelling
        fits = [each for each in subjects if same(name) in (same(each), same(each.partition("/")[2]))]
        if len(fits) == 1:
            return fits[0]
        if fits:
            raise BadData(f"Test subject {name!r} may be {' or '.join(fits)}. Write dataset/subject.")
    raise BadData(f"Expected test subjects among {', '.join(subjects)}, got {name!r}. Correct the name.")


def _person_key(name: str) -> tuple[str, PersonName]:
    """The dataset and the person of `dataset/subject` or `subject`."""
    dataset, _, person = name.rpartition("/")
    return spelling_key(dataset), parse_person_name(person)


def _leave_one_group_out(groups: NDArray[Any], group_kind: str) -> list[FoldSplit]:
    names, numbers = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        raise BadData(
            f"Leave-one-{group_kind}-out needs at least 2 {group_kind}s, got {len(names)}: "
            f"{', '.join(map(str, names)) or 'none'}. Add clips of other {GROUP_PLURALS[group_kind]}."
        )
    return [FoldSplit(str(name), numbers, number) for number, name in enumerate(names)]
