"""The least role for each route that changes something. All others that read need the role `look`.

A new route gets a line here. Without one, it needs the role `administer`.
"""

from services.console.access.visitor import Role

READING_METHODS = ("GET", "HEAD", "OPTIONS")
ROLE_BY_ROUTE = {
    ("POST", "/login"): Role.LOOK,
    ("POST", "/logout"): Role.LOOK,
    ("POST", "/runs"): Role.RUN,
    ("POST", "/runs/new"): Role.RUN,
    ("POST", "/runs/{run}/cancel"): Role.RUN,
    ("POST", "/runs/{run}/delete"): Role.ADMINISTER,
    ("DELETE", "/runs/{run}"): Role.ADMINISTER,
    ("POST", "/dead-letters/replay"): Role.RUN,
    ("POST", "/dead-letters/discard"): Role.ADMINISTER,
    ("POST", "/withdrawals"): Role.ADMINISTER,
    ("POST", "/uploads"): Role.RUN,
    ("POST", "/uploads/names"): Role.RUN,
    ("POST", "/uploads/plan"): Role.RUN,
    ("POST", "/uploads/form"): Role.RUN,
    ("POST", "/uploads/{upload}/finish"): Role.RUN,
    ("POST", "/uploads/{upload}/abandon"): Role.RUN,
    ("PUT", "/uploads/{upload}/parts/{number}"): Role.RUN,
    ("PUT", "/uploads/stored/{to}/{name:path}"): Role.RUN,
}


def find_role(method: str, path: str) -> Role:
    """The least role for a request. Where several routes fit, the highest of theirs."""
    default = Role.LOOK if method in READING_METHODS else Role.ADMINISTER
    fitting = [role for (own, route), role in ROLE_BY_ROUTE.items() if own == method and _fits(route, path)]
    return max(fitting, default=default)


def _fits(route: str, path: str) -> bool:
    expected, found = route.split("/"), path.split("/")
    if expected[-1].endswith(":path}"):
        expected, found = expected[:-1], found[: len(expected) - 1]
    return len(expected) == len(found) and all(
        one == other or one.startswith("{") for one, other in zip(expected, found, strict=True)
    )
