import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.trainer.protocol import loso
from shared.errors import BadData

subjects = st.lists(st.sampled_from([f"casme2/{n}" for n in range(8)]), min_size=2).filter(lambda s: len(set(s)) > 1)


@given(subjects)
def test_no_subject_on_both_sides_and_every_sample_tested_exactly_once(who):
    folds = loso(who)
    for fold in folds:
        assert {who[i] for i in fold.test} == {fold.held_out}
        assert fold.held_out not in {who[i] for i in fold.train}
        assert sorted([*fold.train, *fold.test]) == list(range(len(who)))
    assert sorted(np.concatenate([fold.test for fold in folds])) == list(range(len(who)))


@pytest.mark.parametrize("who", [[], ["smic/s1"] * 3])
def test_fewer_than_two_subjects_are_refused(who):
    with pytest.raises(BadData, match="at least 2 subjects"):
        loso(who)
