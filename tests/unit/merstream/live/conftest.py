"""The headless Chromium that the tests of the prediction's page use too."""

from tests.unit.merstream.prediction.conftest import chromium

__all__ = ["chromium"]
