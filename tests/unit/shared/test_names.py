import pytest

from shared.names import alphanumeric_key, spelling_key


@pytest.mark.parametrize(
    ("written", "same"), [("s01_ne_01", "S1_NE_1"), ("006", "6"), ("EP02_01f", "ep2_1F"), ("é", "é"), ("100", "100")]
)
def test_names_that_mean_the_same(written: str, same: str) -> None:
    assert spelling_key(written) == spelling_key(same)


def test_names_that_do_not() -> None:
    assert len({spelling_key(name) for name in ("EP02_01", "EP02_10", "EP20_01", "EP02_01f")}) == 4


def test_a_dataset_by_any_spelling() -> None:
    assert {alphanumeric_key(name) for name in ("CASME II", "casme_ii", " CASME-II ")} == {"casmeii"}
    assert alphanumeric_key("CAS(ME)^3 A") == alphanumeric_key("CAS(ME)3_a")
    assert alphanumeric_key("CAS(ME)^2") != alphanumeric_key("CASME2")
