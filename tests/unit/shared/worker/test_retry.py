import pytest

from shared.errors import BadData, Unavailable
from shared.settings import Settings
from shared.worker.retry import backoff_seconds, is_transient, retry_until


def test_transient_errors_are_retried_with_their_number() -> None:
    waited: list[tuple[int, str]] = []

    def action(attempt: int) -> str:
        if attempt < 3:
            raise Unavailable(f"away {attempt}")
        return f"done at {attempt}"

    assert retry_until(action, lambda attempt, error: waited.append((attempt, str(error)))) == "done at 3"
    assert waited == [(1, "away 1"), (2, "away 2")]


def test_any_other_error_is_raised_at_once() -> None:
    def action(attempt: int) -> None:
        raise BadData("no face")

    with pytest.raises(BadData, match="no face"):
        retry_until(action, lambda attempt, error: pytest.fail("it waited"))


def test_whoever_waits_may_give_up() -> None:
    def action(attempt: int) -> None:
        raise Unavailable("away")

    def give_up(attempt: int, error: Exception) -> None:
        raise error

    with pytest.raises(Unavailable, match="away"):
        retry_until(action, give_up)


@pytest.mark.parametrize(
    ("error", "transient"),
    [(Unavailable("x"), True), (OSError("disk"), True), (MemoryError(), True), (BadData("x"), False)],
)
def test_what_time_may_repair(error: Exception, transient: bool) -> None:
    assert is_transient(error) is transient


@pytest.mark.parametrize(("attempt", "longest"), [(1, 1.0), (2, 2.0), (3, 4.0), (4, 5.0), (1000, 5.0)])
def test_waits_double_up_to_the_cap_with_jitter(attempt: int, longest: float) -> None:
    settings = Settings(retry_base_seconds=1, retry_cap_seconds=5)
    waits = {backoff_seconds(settings, attempt) for _ in range(50)}
    assert longest / 2 <= min(waits) < max(waits) <= longest
