"""How an artifact was made: the time of its computation, and the versions of what shapes its bytes."""

import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from shared.records import Provenance

SHAPING_MODULES = (
    "av",
    "cv2",
    "dlib",
    "numba",
    "numpy",
    "scipy",
    "skimage",
    "torch",
)  # whose versions may change the last bits
NOT_INSTALLED = "not installed"


def describe_computation(seconds: float) -> Provenance:
    """The provenance of what this process has computed in `seconds`. Modules that it has not loaded shaped nothing."""
    loaded = {name: str(found.__version__) for name in SHAPING_MODULES if (found := sys.modules.get(name))}
    return Provenance(seconds=round(seconds, 3), code=package_version("merstream"), libraries=loaded)


@cache
def package_version(package: str) -> str:
    """The installed version of a package, or `not installed`."""
    try:
        return version(package)
    except PackageNotFoundError:
        return NOT_INSTALLED
