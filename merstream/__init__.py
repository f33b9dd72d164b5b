"""Micro-expression recognition in Python.

    clips = merstream.magnify(frames, factors=(2.0,), fps=200.0)
    flow = merstream.optical_flow(first, second)
    features = merstream.extract_features(frames, onset, apex, offset, fps=200.0)
    report = merstream.evaluate("samples.csv", model="linear")
    report = merstream.run("CASME2", "out/casme2")
    held = merstream.load_features("out/casme2")
    found = merstream.predict("holiday.mp4")

`docs/tutorial/python.md` uses each of them. `import merstream` itself is fast: a function imports torch, numba, OpenCV
and dlib when it needs them. The command `mer` does the same work in a terminal.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from merstream.clips import ClipFeatures, extract_features, magnify, optical_flow
    from merstream.evaluation import Features, Report, evaluate, load_features, run
    from merstream.prediction.calls import Prediction, predict

__all__ = [
    "ClipFeatures",
    "Features",
    "Prediction",
    "Report",
    "evaluate",
    "extract_features",
    "load_features",
    "magnify",
    "optical_flow",
    "predict",
    "run",
]

_MODULE_BY_NAME = {
    **dict.fromkeys(("ClipFeatures", "extract_features", "magnify", "optical_flow"), "merstream.clips"),
    **dict.fromkeys(("Features", "Report", "evaluate", "load_features", "run"), "merstream.evaluation"),
    **dict.fromkeys(("Prediction", "predict"), "merstream.prediction.calls"),
}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_BY_NAME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_MODULE_BY_NAME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
