"""App and group ids: absolute paths such as "/shop/web", and their other spellings.

Source: Marathon, "Application Groups", and mesosphere/marathon state/PathId.scala.
"""

import re

_NAME = r"(([a-z0-9]|[a-z0-9][a-z0-9\-]*[a-z0-9])\.)*([a-z0-9]|[a-z0-9][a-z0-9\-]*[a-z0-9])"
SEGMENT_PATTERN = rf"^{_NAME}|(\.|\.\.)$"
ID_PATTERN = rf"^(\/?((\.\.)|{_NAME})?($|\/))+$"
RESERVED_SEGMENTS = ("restart", "tasks", "versions", ".", "..")

_SEGMENT = re.compile(rf"(?:{_NAME})|\.|\.\.")
_SAFE = re.compile(r"[^a-zA-Z0-9_.-]")

ROOT = "/"


def segments(path: str) -> list[str]:
    """The non-empty segments of a path."""
    return [part for part in path.split("/") if part]


def resolve(text: str, base: str = ROOT) -> str:
    """The absolute id of `text` seen from group `base`; "." and ".." are followed."""
    parts = [] if text.startswith("/") else segments(base)
    for part in segments(text):
        if part == "..":
            parts = parts[:-1]
        elif part != ".":
            parts.append(part)
    return "/" + "/".join(parts)


def parent(path: str) -> str:
    """The group that an id is in; the root's parent is the root."""
    return path.rsplit("/", 1)[0] or ROOT


def ancestors(path: str) -> list[str]:
    """All groups above an id, nearest first, the root last."""
    found = []
    while path != ROOT:
        path = parent(path)
        found.append(path)
    return found


def is_within(path: str, group: str) -> bool:
    """Whether `path` is `group` itself or below it."""
    return group == ROOT or path == group or path.startswith(group + "/")


def safe_path(path: str) -> str:
    """The id with "_" between its segments, as task ids carry it."""
    return "_".join(segments(path))


def from_safe_path(text: str) -> str:
    """The id of a safe path ("shop_web" -> "/shop/web")."""
    return "/" + text.replace("_", "/")


def host_form(path: str) -> str:
    """The id as a host name: segments reversed, joined by dots ("/a/b" -> "b.a")."""
    return ".".join(reversed(segments(path)))


def problems(path: str) -> list[str]:
    """What is wrong with an absolute id, in Marathon's words; empty when it is valid."""
    found = []
    if any(_SEGMENT.fullmatch(part) is None for part in segments(path)):
        found.append(f"must fully match regular expression '{SEGMENT_PATTERN}'")
    if segments(path)[-1:] and segments(path)[-1] in RESERVED_SEGMENTS:
        found.append(
            "must not end with any of the following reserved keywords: "
            + ", ".join(RESERVED_SEGMENTS)
        )
    return found
