"""Everything has a limit, and what lies beyond it gets an answer."""

from mesosphere.kernel.events import CommitFailed, LoadFailed
from mesosphere.kernel.exit_codes import ExitCode
from mesosphere.marathon.core.event_stream import LISTENER_LIMIT
from mesosphere.marathon.core.instances import MESSAGE_LIMIT
from mesosphere.marathon.core.leadership import WAITING_LIMIT
from mesosphere.marathon.core.storage import (
    APP_LIMIT_BYTES,
    CHANGE_LIMIT_APPS,
    CHANGE_LIMIT_BYTES,
)
from tests.scenarios.marathon.harness import World


def test_a_change_of_too_many_apps_is_refused() -> None:
    world = World().lead()
    apps = [
        {"id": f"/a{number}", "cmd": "x", "ports": []} for number in range(CHANGE_LIMIT_APPS + 1)
    ]
    status, refusal = world.ask("PUT", "/v2/apps", apps)
    assert status == 422 and str(CHANGE_LIMIT_APPS) in refusal["message"]
    assert world.ask("PUT", "/v2/apps", apps[:-1])[0] == 200


def test_a_change_too_large_for_the_store_is_refused_and_not_fatal() -> None:
    world = World().lead()
    huge = {"id": "/huge", "cmd": "x", "env": {"A": "x" * APP_LIMIT_BYTES}}
    assert world.ask("POST", "/v2/apps", huge)[0] == 422
    large = [
        {"id": f"/a{number}", "cmd": "x" * (APP_LIMIT_BYTES // 2), "ports": []}
        for number in range(2 * CHANGE_LIMIT_BYTES // APP_LIMIT_BYTES + 1)
    ]
    status, refusal = world.ask("PUT", "/v2/apps", large)
    assert status == 422 and "bytes" in refusal["message"]
    assert world.halted is None


def test_changes_are_merged_while_the_store_is_slow() -> None:
    world = World().lead()
    world.create(instances=20, cpus=0.01)
    world.offer_all(agents=2, rounds=2)
    assert len(world.tasks) == 20
    world.holding_commits = True
    for task_id in list(world.tasks):
        world.update(task_id, "TASK_RUNNING")
    assert len(world.held) == 2
    assert world.types().count("ACKNOWLEDGE") == 0
    world.release_commits()
    assert world.types().count("ACKNOWLEDGE") == 20
    assert world.running() == 20


def test_one_listener_too_many_is_refused() -> None:
    world = World().lead()
    for _ in range(LISTENER_LIMIT):
        world.listen("none")
    answer = world.send("GET", "/v2/events", headers={"accept": "text/event-stream"})[1]
    assert answer is not None and answer.status == 503


def test_requests_that_wait_for_a_leader_are_bounded() -> None:
    world = World()
    for _ in range(WAITING_LIMIT):
        assert world.send("GET", "/v2/apps")[1] is None
    answer = world.send("GET", "/v2/apps")[1]
    assert answer is not None and answer.status == 502


def test_a_leader_that_still_loads_asks_for_patience() -> None:
    world = World()
    world.holding_commits = True
    world.elect()
    answer = world.send("GET", "/v2/apps")[1]
    assert answer is not None and answer.status == 503
    assert answer.headers["Retry-After"] == "1"


def test_long_messages_are_cut() -> None:
    world = World().lead()
    world.create()
    world.settle()
    world.update(next(iter(world.tasks)), "TASK_FAILED", message="x" * (MESSAGE_LIMIT + 5))
    assert len(world.app()["lastTaskFailure"]["message"]) == MESSAGE_LIMIT


def test_versions_are_capped() -> None:
    world = World(max_versions=3).lead()
    world.create(instances=0)
    for number in range(5):
        world.update_app("/web", cmd=f"x{number}")
    assert len(world.get("/v2/apps/web/versions")["versions"]) == 3
    assert len(world.get("/v2/groups/versions")) == 3


def test_launches_wait_for_tokens() -> None:
    world = World(launch_tokens=3).lead()
    world.create(instances=5, cpus=0.01)
    world.offer()
    world.offer()
    assert len(world.tasks) == 3
    world.pass_time(31)
    world.offer()
    assert len(world.tasks) == 5


def test_one_offer_takes_a_bounded_number_of_instances_and_the_rest_comes_back_at_once() -> None:
    world = World().lead()
    world.create(instances=7, cpus=0.01)
    world.offer()
    assert len(world.tasks) == 5
    accept = next(call for call in world.calls if call["type"] == "ACCEPT")
    assert accept["accept"]["filters"]["refuse_seconds"] == 0


def test_a_store_in_doubt_ends_the_process() -> None:
    world = World().lead()
    world.holding_commits = True
    world.send("POST", "/v2/apps", {"id": "/x", "cmd": "x"})
    world.give(CommitFailed(world.held[0].token, "connection lost", definite=False))
    assert world.halted is not None and world.halted.code == ExitCode.STORE_FAILED


def test_a_store_that_cannot_be_read_ends_the_process() -> None:
    world = World()
    world.give(LoadFailed("marathon/load", "gone"))
    assert world.halted is not None and world.halted.code == ExitCode.STORE_FAILED
    broken = World({"/state/instances/000000": (b"{", 0)}).elect()
    assert broken.halted is not None and broken.halted.code == ExitCode.STORE_FAILED
