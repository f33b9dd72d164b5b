"""What a reader of JSON would silently change in `merstream.json` is refused."""

import pytest

from shared.errors import BadData
from shared.inbox.dataset_plan import parse_plan


@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        ('{"train": {"seed": 1}, "train": {"epochs": 2}}', "expected each name once, got 'train' several times; join"),
        ('{"train": {"seed": 1, "seed": 2}}', "expected each name once, got 'seed' several times"),
        ('{"train": {"seed": NaN}}', "expected a number, got NaN; correct it"),
        ('{"overrides": {"flow": {"solver": "nonsense"}}}', "do not fit stage 'flow'"),
        ('{"overrides": {"flow": {"warps": 1000000000}}}', "do not fit stage 'flow'"),
        ('{"overrides": {"magnifier": {"factors": []}}}', "do not fit stage 'magnifier'"),
        ('{"train": {"model": "nonsense"}}', "train: model 'nonsense': .* Correct it"),
        ('{"train": {"epochs": 0}}', "train: epochs 0: .*greater than or equal to 1"),
        ('{"train": {"depth": 3}}', "train: depth 3: no such training setting; there are model, "),
        ('{"train": {"folds": 3}}', "train: folds belongs to protocol k-fold, got protocol loso"),
        ('{"train": {"protocol": "split"}}', "train: Protocol split needs test_subjects"),
        ('{"overrides": {"trainer": {"epochs": 3}}}', "there is no stage 'trainer'; expected one of ingest, "),
    ],
)
def test_a_value_that_would_be_ignored_is_refused(plan: str, sentence: str) -> None:
    with pytest.raises(BadData, match=sentence):
        parse_plan(plan.encode())


def test_one_name_in_two_objects() -> None:
    plan = parse_plan(b'{"overrides": {"ingest": {"height": 140}, "flow": {"solver": "exact"}}, "train": {"seed": 3}}')
    assert (plan.overrides["ingest"], plan.train) == ({"height": 140}, {"seed": 3})
