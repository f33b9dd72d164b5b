import pytest

from shared.errors import Misconfigured
from shared.settings import Settings, load_settings


def test_the_environment_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MER_PORT", "0")
    assert load_settings().port == 0


def test_an_unknown_variable_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MER_PROT", "1")
    with pytest.raises(Misconfigured, match="Unknown settings MER_PROT"):
        load_settings()


def test_a_wrong_value_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MER_PORT", "ninety")
    with pytest.raises(Misconfigured, match="MER_PORT='ninety'"):
        load_settings()


def test_every_setting_has_a_line_of_help() -> None:
    assert all(field.description for field in Settings.model_fields.values())
