"""Which routes no story asks."""

from collections.abc import Iterable
from pathlib import Path

from mesosphere.kernel.http import Match, Router
from tests.api.stories import read


def unasked(router: Router, files: Iterable[Path]) -> list[str]:
    """Routes that no story gets an answer from."""
    asked: dict[tuple[str, str], list[int]] = {}
    for path in files:
        for story in read(path):
            for step in story["steps"]:
                method, _, target = step.get("request", "").partition(" ")
                plain = target.partition("?")[0].removesuffix(".json")
                found = router.match(method, plain) if method else ()
                if isinstance(found, Match):
                    key = (found.route.method, found.route.pattern)
                    asked.setdefault(key, []).append(step["status"])
    return [
        f"{route.method} {route.pattern}"
        for route in router.routes
        if not any(status < 400 for status in asked.get((route.method, route.pattern), []))
        and not route.pattern.startswith("/files/")  # files are read by the runtime
    ]
