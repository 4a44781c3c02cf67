"""Stories of leaders and masters that come and go."""

from mesosphere.kernel.events import LeaderChanged, SessionLost, StopRequested
from mesosphere.kernel.exit_codes import ExitCode
from tests.scenarios.marathon.harness import World, decoded


def test_a_new_leader_finds_apps_tasks_and_framework_again() -> None:
    world = World().lead()
    world.create(instances=3, ports=[0, 0])
    world.settle()
    before = world.app()
    again = World(world.store, world.tasks, seed=b"other", now=world.now + 5).lead()
    again.settle()
    after = again.app()
    assert after["tasks"] == before["tasks"]
    assert after["tasksRunning"] == 3
    assert again.launched() == []
    assert again.get("/v2/info")["frameworkId"] == "F-0000"
    assert after["portDefinitions"] == before["portDefinitions"]


def test_an_instance_whose_launch_never_left_is_replaced_not_doubled() -> None:
    world = World().lead()
    world.create()
    world.holding_commits = True
    world.offer()
    world._commit(world.held.pop(0))  # stored; the process dies with the ACCEPT in its hands
    world.tasks.clear()
    again = World(world.store, {}, seed=b"other", now=world.now + 1).lead()
    again.settle()
    assert again.running() == 1
    assert len(again.tasks) == 1


def test_a_task_that_nobody_knows_is_killed() -> None:
    world = World().lead()
    world.tasks["web.instance-11111111-1111-1111-1111-111111111111._app.1"] = {
        "agent_id": {"value": "S7"}
    }
    world.update("web.instance-11111111-1111-1111-1111-111111111111._app.1", "TASK_RUNNING")
    kill = next(call for call in world.calls if call["type"] == "KILL")
    assert kill["kill"]["agent_id"] == {"value": "S7"}
    assert world.tasks == {}


def test_a_kill_is_repeated_until_the_task_has_ended() -> None:
    world = World().lead()
    world.create()
    world.settle()
    world.killing = False
    world.update_app("/web", instances=0)
    world.pass_time(65)
    assert world.types().count("KILL") == 3
    world.killing = True
    world.pass_time(30)
    assert world.tasks == {}
    assert world.get("/v2/deployments") == []


def test_kills_are_sent_again_to_a_new_master() -> None:
    world = World().lead()
    world.create()
    world.settle()
    world.killing = False
    world.update_app("/web", instances=0)
    world.killing = True
    world.disconnect()
    world.pass_time(20)
    assert world.tasks == {}


def test_a_task_that_still_runs_after_its_kill_is_killed_again_at_once() -> None:
    world = World().lead()
    world.create()
    world.settle()
    world.killing = False
    task = next(iter(world.tasks))
    world.update_app("/web", instances=0)
    world.update(task, "TASK_RUNNING")
    assert world.types().count("KILL") == 1
    world.update(task, "TASK_RUNNING", uuid=False, reason="REASON_RECONCILIATION")
    assert world.types().count("KILL") == 2


def test_a_new_leader_ends_what_the_old_one_was_killing() -> None:
    world = World().lead()
    world.create()
    world.settle()
    task = next(iter(world.tasks))
    world.killing = False
    world.ask("DELETE", f"/v2/apps/web/tasks/{task}")
    again = World(world.store, world.tasks, seed=b"other", now=world.now + 1).lead()
    assert task not in again.tasks
    again.settle()
    assert again.running() == 1


def test_an_unreachable_instance_is_replaced_and_killed_when_it_returns() -> None:
    world = World().lead()
    world.create()
    world.settle()
    lost = next(iter(world.tasks))
    world.update(lost, "TASK_UNREACHABLE", uuid=False)
    world.pass_time(6)
    world.offer(1)
    world.run_all()
    assert len(world.tasks) == 2
    world.update(lost, "TASK_RUNNING")
    assert lost not in world.tasks
    assert world.running() == 1


def test_an_unreachable_instance_is_waited_for_as_long_as_the_app_says() -> None:
    world = World().lead()
    strategy = {"inactiveAfterSeconds": 60, "expungeAfterSeconds": 600}
    world.create(unreachableStrategy=strategy)
    world.settle()
    lost = next(iter(world.tasks))
    world.update(lost, "TASK_UNREACHABLE", uuid=False)
    world.pass_time(50)
    world.offer(1)
    assert len(world.tasks) == 1
    world.pass_time(20)
    world.offer(1)
    world.run_all()
    assert len(world.tasks) == 2
    world.update(lost, "TASK_RUNNING", uuid=False)
    world.settle()
    assert world.running() == 1 and len(world.tasks) == 1


def test_offers_are_refused_for_long_and_suppressed_when_nothing_waits() -> None:
    world = World().lead()
    assert world.types()[-1] == "SUPPRESS"
    world.offer()
    decline = world.calls[-1]
    assert decline["type"] == "DECLINE"
    assert decline["decline"]["filters"]["refuse_seconds"] == 120
    world.create()
    assert world.types()[-1] == "REVIVE"
    world.settle()
    assert world.types().count("SUPPRESS") == 2


def test_revivals_keep_their_distance() -> None:
    world = World().lead()
    for number in range(10):
        world.create(f"/a{number}")
    assert world.types().count("REVIVE") == 1
    world.pass_time(5.1)
    assert world.types().count("REVIVE") == 2


def test_a_standby_hands_every_request_to_the_leader() -> None:
    world = World()
    request, answer = world.send("GET", "/v2/apps")
    assert answer is None
    world.give(LeaderChanged("/leader-curator", b"there:8080"))
    assert [(one.request, one.base_url) for one in world.proxied] == [
        (request, "http://there:8080")
    ]
    world.send("POST", "/v2/apps", {"id": "x"})
    assert len(world.proxied) == 2
    assert world.proxied[1].headers["X-Marathon-Via"] == "1.1 here:8080"
    assert world.proxied[1].headers["X-Forwarded-For"] == "10.9.9.9"


def test_a_request_that_came_round_in_a_circle_is_refused() -> None:
    world = World()
    world.give(LeaderChanged("/leader-curator", b"there:8080"))
    via = {"x-marathon-via": "1.1 here:8080"}
    answer = world.send("GET", "/v2/apps", headers=via)[1]
    assert answer is not None and answer.status == 502


def test_a_standby_sends_listeners_to_the_leader() -> None:
    world = World()
    world.give(LeaderChanged("/leader-curator", b"there:8080"))
    answer = world.send("GET", "/v2/events", headers={"accept": "text/event-stream"})[1]
    assert answer is not None and answer.status == 302
    assert answer.headers["Location"] == "http://there:8080/v2/events"


def test_without_any_leader_a_request_is_refused_after_a_while() -> None:
    world = World()
    request, _ = world.send("GET", "/v2/info")
    world.pass_time(3)
    assert world.replies[request].status == 502
    assert decoded(world.replies[request])["message"] == "Could not determine the current leader"


def test_losing_leadership_ends_the_process() -> None:
    world = World().lead()
    world.give(LeaderChanged("/leader-curator", b"there:8080"))
    assert world.halted is not None and world.halted.code == ExitCode.LEADERSHIP_LOST


def test_losing_the_session_ends_a_leader_and_not_a_standby() -> None:
    world = World().lead()
    world.give(SessionLost("expired"))
    assert world.halted is not None and world.halted.code == ExitCode.SESSION_LOST
    standby = World()
    standby.give(SessionLost("expired"))
    assert standby.halted is None


def test_a_leader_that_was_deposed_unawares_can_write_nothing() -> None:
    paused = World().lead()
    paused.create()
    leader = World(paused.store, paused.tasks, seed=b"other", now=paused.now + 60).lead()
    leader.settle()
    request, answer = paused.send("DELETE", "/v2/apps/web")
    assert answer is None and request not in paused.replies
    assert paused.halted is not None and paused.halted.code == ExitCode.LEADERSHIP_LOST
    assert leader.running() == 1


def test_leadership_is_given_up_on_request() -> None:
    world = World().lead()
    assert world.ask("GET", "/v2/leader") == (200, {"leader": "here:8080"})
    assert world.ask("DELETE", "/v2/leader") == (200, {"message": "Leadership abdicated"})
    assert world.halted is None
    world.pass_time(1)
    assert world.halted is not None and world.halted.code == ExitCode.LEADERSHIP_LOST


def test_asked_to_end_it_ends_cleanly_and_keeps_its_tasks() -> None:
    world = World().lead()
    stream = world.listen()
    world.give(StopRequested())
    assert world.halted is not None and world.halted.code == ExitCode.CLEAN
    assert world.ended == [stream]
    assert "TEARDOWN" not in world.types()


def test_tasks_are_reconciled_at_subscription_and_every_ten_minutes() -> None:
    world = World().lead()
    world.create()
    world.settle()
    before = world.types().count("RECONCILE")
    world.pass_time(601)
    assert world.types().count("RECONCILE") >= before + 2
    asked = [call["reconcile"].get("tasks", []) for call in world.calls if "reconcile" in call]
    assert any(tasks and tasks[0]["agent_id"] for tasks in asked)
    assert any(not tasks for tasks in asked)


def test_an_update_is_acknowledged_only_after_it_is_stored() -> None:
    world = World().lead()
    world.create()
    world.offer()
    world.holding_commits = True
    world.update(next(iter(world.tasks)), "TASK_RUNNING")
    assert "ACKNOWLEDGE" not in world.types()
    world.release_commits()
    assert "ACKNOWLEDGE" in world.types()


def test_a_launch_that_takes_too_long_is_killed_and_replaced() -> None:
    world = World().lead()
    world.create()
    world.offer()
    first = next(iter(world.tasks))
    world.pass_time(340)
    assert first not in world.tasks
    world.offer()
    world.run_all()
    assert world.running() == 1


def test_a_framework_that_was_removed_registers_anew_after_a_restart() -> None:
    world = World().lead()
    world.create()
    world.settle()
    world.say({"type": "ERROR", "error": {"message": "Framework has been removed"}})
    assert world.halted is not None and world.halted.code == ExitCode.FRAMEWORK_REFUSED
    again = World(world.store, {}, seed=b"other", now=world.now + 1).elect()
    assert again.machine.client.framework_id is None
    again.lead()
    again.settle()
    assert again.running() == 1


def test_a_leader_whose_framework_failed_over_leads_no_more() -> None:
    world = World().lead()
    world.say({"type": "ERROR", "error": {"message": "Framework failed over"}})
    assert world.halted is not None and world.halted.code == ExitCode.LEADERSHIP_LOST
