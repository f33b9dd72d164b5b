"""What is stored, in which order, and that nothing but the outcomes shapes it."""

from services.trainer.report.writer import FILES, files, write


class Puts(dict):
    def put(self, key, data):
        self[key] = data


def test_the_report_comes_last(two):
    features, outcomes, said = two()
    store, made = Puts(), files(features, outcomes, said)
    write(store, "r/", made)
    assert list(store) == [f"r/{name}" for name in FILES]
    assert set(made) == set(FILES)
    assert list(store)[-1] == "r/report.json"


def test_equal_outcomes_give_equal_bytes(two):
    assert files(*two(seeds=2)) == files(*two(seeds=2))
