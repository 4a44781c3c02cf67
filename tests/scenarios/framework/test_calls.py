"""How calls travel: in order, once, and what becomes of those that do not arrive."""

import pytest

from mesosphere.framework.calls import DECLINE_LIMIT, QUEUE_LIMIT
from mesosphere.framework.client import RECONCILE_TIMER, RETRY_TIMER, CallLost, Lost
from mesosphere.framework.reconciliation import BATCH, DELAY_LIMIT_S
from mesosphere.framework.repeats import OFFERS_PER_CALL, REPEAT_TIMER
from mesosphere.wire.mesos import AgentID, Launch, Operation, TaskID, TaskInfo
from tests.scenarios.framework.harness import Wire, status


def launch(*names: str) -> Operation:
    infos = [
        TaskInfo(name=name, task_id=TaskID(value=name), agent_id=AgentID(value="S"))
        for name in names
    ]
    return Operation(type="LAUNCH", launch=Launch(task_infos=infos))


def test_calls_carry_the_framework_and_the_stream() -> None:
    wire = Wire().subscribe()
    wire.perform(wire.client.revive())
    [call] = wire.calls
    assert call.url == "http://m1:5050/api/v1/scheduler"
    assert call.headers["Mesos-Stream-Id"] == "stream-1"
    assert wire.sent()[0] == {"type": "REVIVE", "framework_id": {"value": "F"}, "revive": {}}


def test_ordered_calls_wait_for_the_one_before() -> None:
    wire = Wire().subscribe()
    wire.perform(wire.client.revive())
    wire.perform(wire.client.suppress())
    wire.perform(wire.client.kill("t", "S", grace_s=1.5))
    assert wire.types() == ["REVIVE"]
    wire.ok(wire.calls[0])
    assert wire.types() == ["REVIVE", "SUPPRESS"]
    wire.fail(wire.calls[1], definite=True)
    assert wire.types() == ["REVIVE", "SUPPRESS", "KILL"], "a failure does not hold up the next"
    kill = wire.sent()[2]["kill"]
    assert kill["kill_policy"]["grace_period"]["nanoseconds"] == 1_500_000_000


def test_acknowledgements_wait_for_nobody() -> None:
    wire = Wire().subscribe()
    wire.perform(wire.client.revive())
    wire.perform(wire.client.acknowledge(status("t1")))
    wire.perform(wire.client.acknowledge(status("t2")))
    assert wire.types() == ["REVIVE", "ACKNOWLEDGE", "ACKNOWLEDGE"]


def test_an_update_without_a_uuid_is_not_acknowledged() -> None:
    wire = Wire().subscribe()
    assert wire.client.acknowledge(status("t", uuid="")) == []


def test_declines_that_wait_travel_as_one() -> None:
    wire = Wire().subscribe()
    wire.perform(wire.client.revive())
    for number in range(DECLINE_LIMIT + 1):
        wire.perform(wire.client.decline([f"O{number}"], 5.0))
    wire.perform(wire.client.decline(["other"], 60.0))
    for call in wire.calls:
        wire.ok(call)
    sizes = [len(one["decline"]["offer_ids"]) for one in wire.sent() if one["type"] == "DECLINE"]
    assert sizes == [DECLINE_LIMIT, 1, 1]


def test_a_lost_launch_is_told_and_its_tasks_are_asked_for() -> None:
    wire = Wire().subscribe()
    wire.perform(wire.client.accept(["O"], [launch("t1", "t2")], 5.0))
    [lost] = wire.fail(wire.calls[0], definite=False)
    assert lost == CallLost("ACCEPT", ("t1", "t2"), "no answer", definite=False)
    wire.ring(RECONCILE_TIMER)
    asked = wire.sent()[-1]["reconcile"]["tasks"]
    assert [one["task_id"]["value"] for one in asked] == ["t1", "t2"]


def test_what_was_under_way_when_the_stream_broke_is_asked_for_on_the_next() -> None:
    wire = Wire().subscribe()
    wire.perform(wire.client.accept(["O1"], [launch("sent")]))
    wire.perform(wire.client.accept(["O2"], [launch("waiting")]))
    happenings = wire.cut()
    assert [one.tasks for one in happenings if isinstance(one, CallLost)] == [
        ("sent",),
        ("waiting",),
    ]
    assert RECONCILE_TIMER not in wire.timers
    wire.ring(RETRY_TIMER)
    wire.answer(headers={"mesos-stream-id": "stream-2"})
    wire.welcome()
    assert wire.calls[-1].headers["Mesos-Stream-Id"] == "stream-2"
    asked = wire.sent()[-1]["reconcile"]["tasks"]
    assert [one["task_id"]["value"] for one in asked] == ["sent", "waiting"]


def test_a_late_answer_to_a_call_of_an_earlier_stream_is_ignored() -> None:
    wire = Wire().subscribe()
    wire.perform(wire.client.revive())
    wire.cut()
    wire.ring(RETRY_TIMER)
    wire.answer()
    wire.welcome()
    wire.perform(wire.client.suppress())
    assert wire.ok(wire.calls[0], 503) == []
    assert wire.client.is_subscribed


def test_a_launch_while_not_subscribed_is_asked_for_later() -> None:
    wire = Wire()
    assert wire.client.accept(["O"], [launch("t")]) == []
    assert wire.client.revive() == []
    wire.subscribe()
    assert wire.types() == ["RECONCILE"]


@pytest.mark.parametrize(
    ("code", "body", "breaks"),
    [
        (403, b"Framework is not subscribed", True),
        (503, b"", True),
        (400, b"Framework cannot be found", True),
        (400, b"Failed to validate", False),
        (500, b"", False),
    ],
)
def test_a_refused_call_ends_the_stream_if_the_master_forgot_us(
    code: int, body: bytes, breaks: bool
) -> None:
    wire = Wire().subscribe()
    wire.perform(wire.client.revive())
    happenings = wire.ok(wire.calls[0], code, body)
    assert isinstance(happenings[0], CallLost) and happenings[0].definite
    assert any(isinstance(one, Lost) for one in happenings) == breaks
    assert (RETRY_TIMER in wire.timers) == breaks
    assert wire.client.is_subscribed == (not breaks)


def test_tasks_are_asked_for_ever_more_seldom_until_each_was_answered() -> None:
    wire = Wire().subscribe()
    wire.perform(wire.client.reconcile({"t1": "S1", "t2": None}))
    delays = [wire.timers[RECONCILE_TIMER]]
    wire.update("t1")
    for _ in range(8):
        for call in wire.calls:
            wire.ok(call)
        wire.ring(RECONCILE_TIMER)
        delays.append(wire.timers[RECONCILE_TIMER])
    assert delays[:5] == sorted(delays[:5])
    assert max(delays) <= DELAY_LIMIT_S * 1.25
    first, second = wire.sent()[0], wire.sent()[1]
    assert first["reconcile"]["tasks"][0]["agent_id"] == {"value": "S1"}
    assert [one["task_id"]["value"] for one in second["reconcile"]["tasks"]] == ["t2"]
    wire.update("t2", "TASK_GONE")
    for call in wire.calls:
        wire.ok(call)
    count = len(wire.calls)
    wire.ring(RECONCILE_TIMER)
    assert len(wire.calls) == count and RECONCILE_TIMER not in wire.timers


def test_a_new_question_is_asked_soon_however_long_the_waits_were() -> None:
    wire = Wire().subscribe()
    wire.perform(wire.client.reconcile({"old": None}))
    for _ in range(8):
        wire.ring(RECONCILE_TIMER)
    wire.perform(wire.client.reconcile({"new": None}))
    assert wire.timers[RECONCILE_TIMER] < 3


def test_many_tasks_are_asked_for_in_batches() -> None:
    wire = Wire().subscribe()
    wire.perform(wire.client.reconcile({f"t{number}": None for number in range(2 * BATCH + 1)}))
    for call in wire.calls:
        wire.ok(call)
    assert [len(one["reconcile"]["tasks"]) for one in wire.sent()] == [BATCH, BATCH, 1]


def test_an_empty_question_asks_for_all() -> None:
    wire = Wire().subscribe()
    wire.perform(wire.client.reconcile({}))
    assert wire.sent()[0]["type"] == "RECONCILE"
    assert wire.sent()[0]["reconcile"].get("tasks", []) == []
    assert RECONCILE_TIMER not in wire.timers


def test_the_queue_of_calls_is_bounded_and_what_it_drops_is_asked_for() -> None:
    wire = Wire().subscribe()
    wire.perform(wire.client.revive())
    wire.perform(wire.client.accept(["O"], [launch("dropped")]))
    for number in range(QUEUE_LIMIT):
        wire.perform(wire.client.kill(f"t{number}"))
    assert RECONCILE_TIMER in wire.timers
    wire.perform(wire.client.reconcile({}))
    wire.ok(wire.calls[0])
    assert wire.types() == ["REVIVE", "KILL"]


def test_a_teardown_goes_after_what_was_asked_before() -> None:
    wire = Wire().subscribe()
    wire.perform(wire.client.kill("t"))
    wire.perform(wire.client.teardown())
    wire.ok(wire.calls[0])
    assert wire.types() == ["KILL", "TEARDOWN"]


def test_offers_of_a_lost_decline_are_declined_again() -> None:
    wire = Wire().subscribe()
    wire.perform(wire.client.decline(["O1", "O2"], 60.0))
    wire.fail(wire.calls[0], definite=False)
    assert wire.types() == ["DECLINE"]
    wire.ring(REPEAT_TIMER)
    assert wire.sent()[1] == wire.sent()[0]
    wire.ok(wire.calls[1])
    assert REPEAT_TIMER not in wire.timers


def test_offers_of_a_lost_or_refused_accept_are_declined() -> None:
    wire = Wire().subscribe()
    wire.perform(wire.client.accept(["O1"], [launch("t1")], 60.0))
    wire.perform(wire.client.accept(["O2"], [launch("t2")], 5.0))
    wire.fail(wire.calls[0], definite=True)
    wire.ok(wire.calls[1], 400, b"Invalid task")
    wire.ring(REPEAT_TIMER)
    wire.ok(wire.calls[2])
    declined = [call["decline"] for call in wire.sent()[2:]]
    assert [body["offer_ids"][0]["value"] for body in declined] == ["O1", "O2"]
    assert [body["filters"]["refuse_seconds"] for body in declined] == [60.0, 5.0]


def test_a_refused_decline_is_not_repeated() -> None:
    wire = Wire().subscribe()
    wire.perform(wire.client.decline(["O1"]))
    wire.ok(wire.calls[0], 400, b"Bad Request")
    assert REPEAT_TIMER not in wire.timers


def test_nothing_is_repeated_on_another_subscription() -> None:
    wire = Wire().subscribe()
    wire.perform(wire.client.decline(["O1"]))
    wire.perform(wire.client.suppress())
    wire.fail(wire.calls[0], definite=False)
    assert REPEAT_TIMER in wire.timers
    wire.cut()
    assert REPEAT_TIMER not in wire.timers


def test_only_the_newest_wish_is_repeated() -> None:
    wire = Wire().subscribe()
    wire.perform(wire.client.suppress())
    wire.perform(wire.client.revive())
    wire.fail(wire.calls[0], definite=False)
    wire.fail(wire.calls[1], definite=False)
    wire.ring(REPEAT_TIMER)
    assert wire.types() == ["SUPPRESS", "REVIVE", "REVIVE"]


def test_many_lost_offers_are_declined_in_bounded_calls() -> None:
    wire = Wire().subscribe()
    wire.perform(wire.client.decline([f"O{number}" for number in range(OFFERS_PER_CALL + 1)]))
    wire.fail(wire.calls[0], definite=False)
    wire.ring(REPEAT_TIMER)
    assert len(wire.sent()[1]["decline"]["offer_ids"]) == OFFERS_PER_CALL
