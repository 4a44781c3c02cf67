"""The load balancer's machine: reads that fail, refusals, events, and a HAProxy that drifts."""

import json
from typing import Any

from mesosphere.haproxy.core.machine import ProxyConfig, ProxyMachine
from mesosphere.haproxy.core.render import Front
from mesosphere.kernel import effects as do
from mesosphere.kernel import events as on
from mesosphere.kernel.ids import IdSource
from tests.unit.haproxy.test_model import app, task

APPS = "apps"


class World:
    """Performs nothing, remembers everything."""

    def __init__(self, **changes: Any) -> None:
        config = ProxyConfig(
            endpoints=("http://m1:8080", "http://m2:8080"), groups=("external",), front=Front(),
            **changes,
        )  # fmt: skip
        self.machine = ProxyMachine(config, IdSource(b"seed"))
        self.now = 1000.0
        self.effects = self.machine.start(self.now)

    def give(self, event: on.Event) -> list[do.Effect]:
        self.effects = self.machine.handle(self.now, event)
        return self.effects

    def calls(self) -> list[do.Call]:
        return [each for each in self.effects if isinstance(each, do.Call)]

    def applies(self) -> list[do.ApplyProxyConfiguration]:
        return [each for each in self.effects if isinstance(each, do.ApplyProxyConfiguration)]

    def read(self, *apps: dict[str, Any], status: int = 200) -> list[do.ApplyProxyConfiguration]:
        if not self.machine.is_reading:
            self.give(on.TimerFired("retry"))
        body = json.dumps({"apps": list(apps)}).encode()
        self.give(on.CallAnswered(call_name(self), status, {}, body))
        return self.applies()

    def settle(self) -> None:
        """HAProxy takes what it was given."""
        [apply] = self.applies()
        self.give(on.ProxyApplied(apply.generation, apply.reload))

    def serve(self, *apps: dict[str, Any]) -> None:
        self.read(*apps)
        self.settle()

    def served(self) -> list[int]:
        assert self.machine.active is not None
        return [each.port for service in self.machine.active.services for each in service.servers]


def call_name(world: World) -> str:
    from mesosphere.haproxy.core import machine

    return machine.APPS_CALL


def world_with_web() -> World:
    world = World()
    world.serve(app())
    assert world.served() == [31001, 31002]
    return world


def test_the_first_read_is_applied_by_a_reload() -> None:
    world = World()
    [apply] = world.read(app())
    assert apply.reload and "backend web_10000" in apply.text


def test_equal_apps_lead_to_nothing() -> None:
    assert world_with_web().read(app()) == []


def test_a_failed_read_changes_nothing_and_asks_the_next_marathon() -> None:
    world = world_with_web()
    for status, body in ((500, b"no"), (200, b"{}"), (200, b"<html>"), (200, b'{"apps": 7}')):
        world.give(on.TimerFired("retry"))
        if not world.machine.is_reading:
            world.machine._read()
        world.give(on.CallAnswered(call_name(world), status, {}, body))
        assert world.applies() == []
        assert world.served() == [31001, 31002]
    world.machine._read()
    world.give(on.CallFailed(call_name(world), "connection refused", True))
    assert world.applies() == [] and world.served() == [31001, 31002]
    assert world.machine.last_error


def test_a_good_read_clears_the_error() -> None:
    world = world_with_web()
    world.machine._read()
    world.give(on.CallFailed(call_name(world), "connection refused", True))
    world.machine._read()
    world.read(app())
    assert world.machine.last_error == ""


def test_an_ended_task_is_taken_out_before_the_next_read() -> None:
    world = world_with_web()
    event = {"eventType": "status_update_event", "taskId": "/web-2", "taskStatus": "TASK_FAILED"}
    record = json.dumps({"event": "status_update_event", "data": json.dumps(event)}).encode()
    from mesosphere.haproxy.core import machine

    world.give(on.Received(machine.STREAM, record))
    [apply] = world.applies()
    assert not apply.reload
    assert "set server web_10000/127_0_0_1_31002 state maint" in apply.commands


def test_a_configuration_that_is_refused_leaves_out_its_app_and_keeps_the_rest() -> None:
    world = world_with_web()
    [apply] = world.read(app(), app("/bad", 10001))
    world.give(on.ProxyRefused(apply.generation, "unknown keyword"))
    assert world.machine.left_out["/bad"][0] == "unknown keyword"
    assert world.served() == [31001, 31002]
    # It is not tried again while it stays as it is, and is once it is changed.
    assert world.read(app(), app("/bad", 10001)) == []
    changed = app("/bad", 10002)
    [again] = world.read(app(), changed)
    assert "bad_10002" in again.text


def test_of_several_suspects_each_is_tried_alone() -> None:
    world = world_with_web()
    apps = [app(), app("/bad", 10001), app("/fine", 10002)]
    [apply] = world.read(*apps)
    world.give(on.ProxyRefused(apply.generation, "no"))
    for _ in range(6):
        if not world.applies():
            break
        [apply] = world.applies()
        if "bad_10001" in apply.text:
            world.give(on.ProxyRefused(apply.generation, "no"))
        else:
            world.settle()
    assert list(world.machine.left_out) == ["/bad"]
    assert world.machine.active is not None
    assert [service.app for service in world.machine.active.services] == ["/fine", "/web"]


def test_a_new_leader_that_knows_no_health_yet_empties_no_backend() -> None:
    world = world_with_web()
    blank = [{"alive": False, "consecutiveFailures": 0}]
    tasks = [task("/web-1", 31001, healthCheckResults=blank),
             task("/web-2", 31002, healthCheckResults=[])]  # fmt: skip
    assert world.read(app(tasks=tasks)) == []
    assert world.served() == [31001, 31002]


def test_changes_during_an_application_are_applied_after_it() -> None:
    world = World()
    [apply] = world.read(app())
    assert world.read(app(), app("/more", 10001)) == []
    world.give(on.ProxyApplied(apply.generation, True))
    [second] = world.applies()
    assert "more_10001" in second.text


def test_a_haproxy_that_drifted_is_corrected() -> None:
    world = world_with_web()
    world.give(on.ProxyState(alive=True, servers=""))
    [apply] = world.applies()
    assert apply.reload and "backend web_10000" in apply.text


def test_a_refused_correction_does_not_delay_what_came_in_meanwhile() -> None:
    world = world_with_web()
    world.give(on.ProxyState(alive=True, servers=""))
    [correction] = world.applies()
    assert world.read(app(), app("/more", 10001)) == []
    world.give(on.ProxyRefused(correction.generation, "no such server"))
    [apply] = world.applies()
    assert "more_10001" in apply.text


def test_asked_to_end_it_leaves_haproxy_running() -> None:
    world = world_with_web()
    assert [type(each) for each in world.give(on.StopRequested())] == [do.Disconnect, do.Halt]
