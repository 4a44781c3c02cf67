"""Chronos's routes against their stories; every route of the table is asked by one of them."""

from pathlib import Path
from typing import Any

import pytest

from mesosphere.chronos.api import ROUTES
from mesosphere.kernel.http import Match, Response, Router
from tests.api.stories import read, stories, tell
from tests.scenarios.chronos.harness import World

HERE = Path(__file__).parent
FILES = (HERE / "jobs.yaml", HERE / "reads.yaml")


@pytest.mark.parametrize("story", stories(*FILES))
def test_story(story: dict[str, Any]) -> None:
    world = World(**story.get("given", {})).lead()

    def ask(
        method: str, path: str, query: dict[str, list[str]], headers: dict[str, str], body: bytes
    ) -> Response:
        response = world.send(method, path, body, query, headers)
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        return response

    def kills(count: int) -> None:
        assert world.types().count("KILL") == count

    def launches(count: int) -> None:
        assert len(world.launched()) == count

    steps = {
        "pass_time": world.pass_time,
        "offer": world.offer,
        "run": world.run,
        "launches": launches,
        "kills": kills,
    }
    tell(story, ask, steps)


def test_every_route_is_asked_with_a_good_and_where_it_can_fail_a_bad_end() -> None:
    router = Router(ROUTES)
    asked: dict[tuple[str, str], list[int]] = {}
    for path in FILES:
        for story in read(path):
            for step in story["steps"]:
                if "request" not in step:
                    continue
                method, _, target = step["request"].partition(" ")
                found = router.match(method, target.partition("?")[0])
                if isinstance(found, Match):
                    key = (found.route.method, found.route.pattern)
                    asked.setdefault(key, []).append(step["status"])
    unasked = [
        f"{route.method} {route.pattern}"
        for route in ROUTES
        if not any(status < 400 for status in asked.get((route.method, route.pattern), []))
    ]
    assert not unasked
    fallible = [key for key in asked if "{name}" in key[1] and "success" not in key[1]]
    fallible += [key for key in asked if key[1].endswith(("/iso8601", "/dependency", "/search"))]
    unrefused = [key for key in fallible if not any(status >= 400 for status in asked[key])]
    assert not unrefused
