"""What is stored, in which order, and that nothing but the outcomes shapes it."""

from services.trainer.report.writer import REPORT_FILES, render_files, write_files


class Puts(dict):
    def put(self, key, data):
        self[key] = data


def test_the_report_comes_last(two):
    features, outcomes, said = two()
    store, made = Puts(), render_files(features, outcomes, said)
    write_files(store, "r/", made)
    assert list(store) == [f"r/{name}" for name in REPORT_FILES]
    assert set(made) == set(REPORT_FILES)
    assert list(store)[-1] == "r/report.json"


def test_equal_outcomes_give_equal_bytes(two):
    assert render_files(*two(seeds=2)) == render_files(*two(seeds=2))
