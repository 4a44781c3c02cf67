"""Pages in pieces: what is encoded once, and how pages are put together."""

import json

import pytest

from mesosphere.master.views import pieces
from tests.scenarios.master.peers import FINISHED, running


def test_a_task_is_encoded_again_only_when_it_changed() -> None:
    world, framework, agent = running()
    [record] = world.machine.state.frameworks[framework.id].tasks.values()
    before = pieces.tasks([record])[0]
    agent.pong()
    assert pieces.tasks([record])[0] is before
    agent.update(framework, "t1", FINISHED)
    assert pieces.tasks([record])[0] is not before
    assert json.loads(pieces.tasks([record])[0][1:])["state"] == FINISHED


def test_an_agent_is_encoded_again_only_when_it_changed() -> None:
    world, framework, agent = running()
    found = world.machine.state.agents[agent.id]
    before = pieces.agent(found)
    agent.pong()
    assert pieces.agent(found) is before
    framework.launch(agent, "t2")
    assert pieces.agent(found) is not before


def test_two_reads_share_what_they_say_of_tasks() -> None:
    world, framework, agent = running()
    for name in ("t2", "t3"):
        framework.launch(agent, name)
    one, other = (world.ask("GET", "/state").body for _ in range(2))
    assert isinstance(one, tuple) and isinstance(other, tuple)
    tasks = [part for part in one if b'"statuses"' in part]
    assert len(tasks) == 3
    assert all(any(part is shared for part in other) for shared in tasks[1:])


@pytest.mark.parametrize("count", [0, 1, 3])
def test_lists_of_pieces_are_arrays(count: int) -> None:
    listed = pieces.listed([b',{"n":%d}' % n for n in range(count)])
    assert json.loads(b"".join(listed)) == [{"n": n} for n in range(count)]
    shown = pieces.array(pieces.page({"n": n, "all": listed}) for n in range(count))
    expected = [{"n": n, "all": json.loads(b"".join(listed))} for n in range(count)]
    assert json.loads(b"".join(shown)) == expected


def test_a_piece_is_widened() -> None:
    assert pieces.widened(b',{"a":1}', {"b": 2}) == b',{"a":1,"b":2}'


def test_a_page_with_a_callback_is_a_script_of_the_same() -> None:
    world, _, _ = running()
    plain, script = world.ask("GET", "/state").body, world.ask("GET", "/state", jsonp="f").body
    assert isinstance(plain, tuple) and isinstance(script, tuple)
    assert b"".join(script) == b"f(" + b"".join(plain) + b");"
