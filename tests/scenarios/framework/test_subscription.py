"""How a framework finds its master, stays with it, and comes back."""

import json
from typing import Any

import pytest

from mesosphere.framework.addresses import master_url, redirect_url
from mesosphere.framework.client import (
    BACKOFF_FIRST_S,
    BACKOFF_LIMIT_S,
    REDIRECT_LIMIT,
    RETRY_TIMER,
    Lost,
    Refused,
    Subscribed,
)
from mesosphere.framework.link import LINK, Action, Input, Link
from mesosphere.kernel.events import LeaderChanged, TimerFired
from tests.scenarios.framework.harness import MASTER, Wire


def test_a_new_framework_subscribes_without_an_id_and_gets_one() -> None:
    wire = Wire(suppressed_roles=("a",))
    [detect] = wire.detects
    assert detect.group == MASTER
    assert wire.connects == []
    wire.lead()
    [subscription] = wire.subscriptions()
    assert subscription["type"] == "SUBSCRIBE"
    assert "framework_id" not in subscription
    assert "id" not in subscription["subscribe"]["framework_info"]
    assert subscription["subscribe"]["suppressed_roles"] == ["a"]
    assert wire.connects[0].url == "http://m1:5050/api/v1/scheduler"
    assert wire.answer() == []
    assert not wire.client.is_subscribed, "the stream is open, but nobody has said welcome"
    assert wire.welcome("F-1") == [Subscribed("F-1", "http://m1:5050")]
    assert wire.client.is_subscribed


def test_a_known_framework_subscribes_under_its_id() -> None:
    wire = Wire("F-1")
    wire.lead()
    [subscription] = wire.subscriptions()
    assert subscription["framework_id"] == {"value": "F-1"}
    assert subscription["subscribe"]["framework_info"]["id"] == {"value": "F-1"}


def test_the_id_is_kept_when_the_stream_breaks() -> None:
    wire = Wire().subscribe()
    wire.cut()
    wire.ring(RETRY_TIMER)
    assert wire.subscriptions()[-1]["framework_id"] == {"value": "F"}


def test_a_redirect_is_followed_at_once() -> None:
    wire = Wire()
    wire.lead()
    wire.redirect("//m2:5051/api/v1/scheduler")
    assert wire.connects[-1].url == "http://m2:5051/api/v1/scheduler"
    assert RETRY_TIMER not in wire.timers
    wire.answer()
    assert wire.welcome() == [Subscribed("F", "http://m2:5051")]
    wire.client.revive()
    assert wire.lead("m2", 5051) == [], "detection catches up with the redirect"
    assert wire.client.is_subscribed and len(wire.connects) == 2


def test_masters_that_send_us_round_in_a_circle_are_given_a_rest() -> None:
    wire = Wire()
    wire.lead()
    for hop in range(REDIRECT_LIMIT):
        wire.redirect(f"//m{hop % 2 + 1}:5050/api/v1/scheduler")
    assert len(wire.connects) == REDIRECT_LIMIT + 1
    wire.redirect("//m2:5050/api/v1/scheduler")
    assert len(wire.connects) == REDIRECT_LIMIT + 1
    wire.ring(RETRY_TIMER)
    assert wire.connects[-1].url == "http://m1:5050/api/v1/scheduler", "back to who is detected"


@pytest.mark.parametrize("location", ["", "//[oops", "/api/v1/scheduler"])
def test_a_redirect_to_nowhere_counts_as_a_failure(location: str) -> None:
    wire = Wire()
    wire.lead()
    wire.redirect(location)
    assert RETRY_TIMER in wire.timers
    assert len(wire.connects) == 1


def test_addresses_are_read_as_masters_write_them() -> None:
    assert redirect_url("//h:1/path") == "http://h:1"
    assert redirect_url("https://h:1/path") == "https://h:1"
    assert redirect_url("h:1") == "http://h:1"
    named = {"address": {"hostname": "h", "port": 1}, "id": "x"}
    assert master_url(json.dumps(named).encode()) == "http://h:1"
    assert master_url(b'{"address":{"ip":"::1","port":1}}') == "http://[::1]:1"
    for nonsense in (None, b"", b"{}", b'{"address":{"port":1}}', b'{"address":{"ip":"\xff"}}'):
        assert master_url(nonsense) is None


def test_waits_grow_to_their_limit_and_start_small_after_a_success() -> None:
    wire = Wire()
    wire.lead()
    waits = []
    for _ in range(12):
        wire.answer(503)
        waits.append(wire.timers[RETRY_TIMER])
        wire.ring(RETRY_TIMER)
    for number, wait in enumerate(waits):
        ceiling = min(BACKOFF_FIRST_S * 2**number, BACKOFF_LIMIT_S)
        assert ceiling / 2 <= wait <= ceiling
    assert len({round(wait / waits[-1], 6) for wait in waits[-4:]}) > 1, "the waits are spread"
    wire.answer()
    wire.welcome()
    wire.cut()
    assert wire.timers[RETRY_TIMER] <= BACKOFF_FIRST_S


def test_a_new_leader_ends_the_wait() -> None:
    wire = Wire()
    wire.lead()
    wire.answer(503)
    wire.lead("m2")
    assert RETRY_TIMER not in wire.timers
    assert wire.connects[-1].url.startswith("http://m2:")


def test_a_new_leader_takes_over_a_subscription() -> None:
    wire = Wire().subscribe()
    [lost] = wire.lead("m2")
    assert isinstance(lost, Lost)
    assert not wire.client.is_subscribed
    assert wire.connects[-1].url.startswith("http://m2:")


def test_the_same_leader_again_changes_nothing() -> None:
    wire = Wire().subscribe()
    assert wire.lead() == []
    assert len(wire.connects) == 1


def test_without_a_leader_the_stream_is_left_and_nothing_is_tried() -> None:
    wire = Wire().subscribe()
    [lost] = wire.lead(None)
    assert isinstance(lost, Lost)
    assert not wire.open and RETRY_TIMER not in wire.timers
    wire.lead(None)
    assert len(wire.connects) == 1
    wire.lead("m2")
    assert len(wire.connects) == 2


def test_missed_heartbeats_end_the_stream_and_the_client_comes_back() -> None:
    wire = Wire().subscribe()
    assert wire.connects[0].idle_s == 75, "five heartbeats of 15 s, by the runtime's watch"
    assert wire.say({"type": "HEARTBEAT"}) == []
    [lost] = wire.cut("no byte for 75 s")
    assert lost == Lost("no byte for 75 s")
    wire.ring(RETRY_TIMER)
    wire.answer()
    assert isinstance(wire.welcome()[0], Subscribed)


def test_a_stream_cut_before_the_welcome_is_no_loss() -> None:
    wire = Wire()
    wire.lead()
    wire.answer()
    assert wire.cut() == []
    assert RETRY_TIMER in wire.timers


def test_an_unreadable_record_ends_the_stream() -> None:
    wire = Wire().subscribe()
    [lost] = wire.say({"type": "UPDATE", "update": {"status": 5}})
    assert isinstance(lost, Lost) and "unreadable" in lost.reason
    assert not wire.open


@pytest.mark.parametrize("status", [400, 401, 403])
def test_an_answer_that_will_not_change_stops_the_client(status: int) -> None:
    wire = Wire()
    wire.lead()
    [refused] = wire.answer(status, body=b"no such principal")
    assert isinstance(refused, Refused) and not refused.for_good
    assert "no such principal" in refused.message
    wire.lead("m2")
    assert len(wire.connects) == 1 and RETRY_TIMER not in wire.timers


@pytest.mark.parametrize(
    ("message", "for_good"),
    [
        ("Framework has been removed", True),
        ("Framework failed over", True),
        ("Role 'x' is not present in the master's --roles", False),
    ],
)
def test_an_error_of_the_master_stops_the_client(message: str, for_good: bool) -> None:
    wire = Wire().subscribe()
    lost, refused = wire.say({"type": "ERROR", "error": {"message": message}})
    assert isinstance(lost, Lost)
    assert refused == Refused(message, for_good)
    assert not wire.open and RETRY_TIMER not in wire.timers


def test_offers_reach_the_holder_only_while_subscribed() -> None:
    wire = Wire()
    wire.lead()
    wire.answer()
    offers: dict[str, Any] = {"type": "OFFERS", "offers": {"offers": []}}
    assert wire.say(offers) == []
    wire.welcome()
    assert [getattr(one, "type", "") for one in wire.say(offers)] == ["OFFERS"]


def test_a_stopped_client_leaves_everything() -> None:
    wire = Wire().subscribe()
    wire.perform(wire.client.reconcile({"t": None}))
    wire.perform(wire.client.stop())
    assert not wire.open and wire.timers == {}
    assert wire.client.revive() == []
    assert wire.lead("m2") == [] and len(wire.connects) == 1


def test_events_of_others_are_not_taken() -> None:
    wire = Wire()
    assert not wire.client.owns(LeaderChanged("/other", None))
    assert not wire.client.owns(TimerFired("marathon/x"))


def test_the_whole_table_is_walked() -> None:
    for link in Link:
        assert LINK.step(link, Input.STOP) is not None
        for given in Input:
            step = LINK.step(link, given)
            if step is None:
                continue
            was, becomes = link is Link.SUBSCRIBED, step.state is Link.SUBSCRIBED
            reported = Action.REPORT_LOST in step.actions
            assert reported == (was and not becomes and given is not Input.STOP)
            assert (Action.CONNECT in step.actions) == (
                step.state is Link.CONNECTING
                and given in (Input.LEADER, Input.REDIRECT, Input.RETRY)
            )
            assert (Action.BACK_OFF in step.actions) == (step.state is Link.WAITING)
            if was and not becomes:
                assert Action.FORGET_STREAM in step.actions, (link, given)
