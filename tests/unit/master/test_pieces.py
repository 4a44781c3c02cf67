"""Pages in pieces: what is encoded once, and how pages are put together."""

import json
from typing import Any

import pytest

from mesosphere.kernel.http import Request, Unfinished
from mesosphere.master.core.state import values_of
from mesosphere.master.views import pieces
from tests.scenarios.master.peers import FINISHED, running
from tests.scenarios.master.world import World


def test_a_task_is_encoded_again_only_when_it_changed() -> None:
    world, framework, agent = running()
    [record] = world.machine.state.frameworks[framework.id].tasks.values()
    before = pieces.task(record, record.task)
    agent.pong()
    assert pieces.task(record, record.task) is before
    agent.update(framework, "t1", FINISHED)
    assert json.loads(pieces.task(record, record.task))["state"] == FINISHED


def test_an_agent_is_encoded_again_only_when_it_changed() -> None:
    world, framework, agent = running()
    found = world.machine.state.agents[agent.id]
    before = pieces.agent(found, values_of(found))
    agent.pong()
    assert pieces.agent(found, values_of(found)) is before
    framework.launch(agent, "t2")
    assert pieces.agent(found, values_of(found)) is not before


def _begin(world: World, path: str) -> Unfinished:
    answer = world.api.begin(world.now, Request(f"begun {path}", "GET", path))
    assert isinstance(answer, Unfinished)
    return answer


def _read(answer: Unfinished) -> Any:
    return json.loads(b"".join(answer.page.finish()))


@pytest.mark.parametrize("path", ["/state", "/state-summary", "/frameworks", "/tasks"])
def test_a_page_shows_the_moment_at_which_it_began(path: str) -> None:
    world, framework, agent = running()
    before = world.read(path)
    begun = _begin(world, path)
    begun.page.advance()
    framework.launch(agent, "t2")
    agent.update(framework, "t1", FINISHED)
    after = world.read(path)
    assert _read(begun) == before != after
    assert _read(_begin(world, path)) == after


def test_reads_share_a_page_until_something_changes() -> None:
    world, framework, agent = running()
    first = _begin(world, "/state")
    first.page.finish()
    agent.pong()
    assert _begin(world, "/state").page is first.page
    framework.launch(agent, "t2")
    assert _begin(world, "/state").page is not first.page


@pytest.mark.parametrize("count", [0, 1, 3])
def test_lists_of_slices_are_arrays(count: int) -> None:
    def members() -> pieces.Slices:
        return iter([b'{"n":%d}' % n for n in range(count)])

    expected = [{"n": n} for n in range(count)]
    assert json.loads(b"".join(pieces.listed(members()))) == expected
    shown = pieces.array(
        pieces.page({"n": n, "all": pieces.listed(members())}) for n in range(count)
    )
    assert json.loads(b"".join(shown)) == [{"n": n, "all": expected} for n in range(count)]


def test_a_piece_is_widened() -> None:
    assert pieces.widened(b'{"a":1}', {"b": 2}) == b'{"a":1,"b":2}'


def test_a_page_with_a_callback_is_a_script_of_the_same() -> None:
    world, _, _ = running()
    plain, script = world.ask("GET", "/state").body, world.ask("GET", "/state", jsonp="f").body
    assert isinstance(plain, tuple) and isinstance(script, tuple)
    assert b"".join(script) == b"f(" + b"".join(plain) + b");"
