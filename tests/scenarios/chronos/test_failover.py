"""Stories of leaders that come and go: nothing is forgotten, nothing doubled."""

from mesosphere.kernel.effects import Proxy
from mesosphere.kernel.events import (
    CommitFailed,
    LeaderChanged,
    SessionLost,
    StopRequested,
)
from mesosphere.kernel.exit_codes import ExitCode
from mesosphere.kernel.http import Request
from tests.scenarios.chronos.harness import World


def test_a_new_leader_knows_the_running_task_and_starts_no_second_one() -> None:
    old = World().lead()
    old.submit("a", schedule="R/2023-11-14T22:00:00Z/PT1M")
    old.pass_time(1)
    old.offer()
    task = old.launched()[0]
    new = World(old.store)
    new.now = old.now + 600
    new.lead()
    asked = [call["reconcile"] for call in new.calls if call["type"] == "RECONCILE"]
    assert asked[0]["tasks"][0]["task_id"] == task["task_id"]
    new.pass_time(1)
    new.offer()
    assert new.launched() == []
    new.update(task, "TASK_FINISHED")
    assert new.job("a")["successCount"] == 1


def test_a_new_leader_keeps_the_framework_id() -> None:
    old = World().lead()
    new = World(old.store).lead()
    assert new.machine.book.framework_id == "F-0000"


def test_a_retry_survives_a_change_of_leader() -> None:
    old = World(failure_retry_s=60.0).lead()
    old.submit("a", schedule="R1//PT1H", retries=1)
    old.pass_time(1)
    old.run("TASK_FAILED")
    new = World(old.store, failure_retry_s=60.0)
    new.now = old.now
    new.lead()
    new.pass_time(30)
    new.offer()
    assert new.launched() == []
    new.pass_time(31)
    new.offer()
    assert len(new.launched()) == 1


def test_a_manual_run_that_was_acknowledged_survives() -> None:
    old = World().lead()
    old.submit("a", schedule="R0//PT1H")
    old.ask("PUT", "/v1/scheduler/job/a", query={"arguments": ["x"]})
    new = World(old.store).lead()
    new.offer()
    assert new.launched()[0]["command"]["value"] == "true x"


def test_dependency_progress_survives() -> None:
    old = World().lead()
    old.submit("a", schedule="R1//PT1H")
    old.submit("b", schedule="R/2030-01-01T00:00:00Z/PT1H")
    old.submit("child", parents=["a", "b"])
    old.pass_time(1)
    old.run()
    new = World(old.store).lead()
    new.ask("PUT", "/v1/scheduler/job/success/b")
    new.offer()
    assert [task["name"] for task in new.launched()] == ["ChronosTask:child"]


def test_a_leader_whose_write_is_refused_ends() -> None:
    world = World().lead()
    world.holding_commits = True
    world.submit("a", schedule="R1//PT1H")
    world.give(CommitFailed(world.held[0].token, "version conflict", definite=True))
    assert world.halted is not None
    assert world.halted.code == ExitCode.LEADERSHIP_LOST
    assert world.replies == {}


def test_a_leader_that_is_replaced_or_loses_its_session_ends() -> None:
    world = World().lead()
    world.give(LeaderChanged("/candidate", b"there:4400"))
    assert world.halted is not None and world.halted.code == ExitCode.LEADERSHIP_LOST
    world = World().lead()
    world.give(SessionLost("expired"))
    assert world.halted is not None and world.halted.code == ExitCode.SESSION_LOST


def test_a_standby_proxies_to_the_leader() -> None:
    world = World()
    world.give(LeaderChanged("/candidate", b"there:4400"))
    request = Request(id="r", method="GET", path="/v1/scheduler/jobs")
    command = world.api.dispatch(world.now, request)
    effects = world.machine.handle(world.now, command)  # type: ignore[arg-type]
    assert isinstance(effects[0], Proxy)
    assert effects[0].base_url == "http://there:4400"
    ping = world.api.dispatch(world.now, Request(id="p", method="GET", path="/ping"))
    assert getattr(ping, "status", 0) == 200


def test_a_stop_is_clean() -> None:
    world = World().lead()
    world.give(StopRequested())
    assert world.halted is not None and world.halted.code == ExitCode.CLEAN


def test_a_leader_whose_framework_failed_over_leads_no_more() -> None:
    world = World().lead()
    world.say({"type": "ERROR", "error": {"message": "Framework failed over"}})
    assert world.halted is not None and world.halted.code == ExitCode.LEADERSHIP_LOST
    assert World(world.store).lead().machine.book.framework_id == "F-0000"


def test_a_framework_that_was_removed_registers_anew_after_a_restart() -> None:
    world = World().lead()
    world.say({"type": "ERROR", "error": {"message": "Framework has been removed"}})
    assert world.halted is not None and world.halted.code == ExitCode.FRAMEWORK_REFUSED
    assert world.store["/framework_id"][0] == b""
