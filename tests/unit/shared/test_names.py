import pytest

from shared.names import folded, loose


@pytest.mark.parametrize(
    ("written", "same"), [("s01_ne_01", "S1_NE_1"), ("006", "6"), ("EP02_01f", "ep2_1F"), ("é", "é"), ("100", "100")]
)
def test_names_that_mean_the_same(written: str, same: str) -> None:
    assert loose(written) == loose(same)


def test_names_that_do_not() -> None:
    assert len({loose(name) for name in ("EP02_01", "EP02_10", "EP20_01", "EP02_01f")}) == 4


def test_a_dataset_by_any_spelling() -> None:
    assert {folded(name) for name in ("CASME II", "casme_ii", " CASME-II ")} == {"casmeii"}
    assert folded("CAS(ME)^3 A") == folded("CAS(ME)3_a")
    assert folded("CAS(ME)^2") != folded("CASME2")
