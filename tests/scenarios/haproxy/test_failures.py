"""The load balancer's machine: what it does when Marathon or HAProxy fail it."""

import json
from typing import Any

import pytest

from mesosphere.haproxy.core.machine import (
    APPS_CALL,
    RECONNECT_TIMER,
    REFRESH_TIMER,
    RETRY_TIMER,
    STREAM,
    ProxyConfig,
    ProxyMachine,
)
from mesosphere.kernel.effects import ApplyProxyConfiguration, Call, Connect, Effect, SetTimer
from mesosphere.kernel.events import (
    CallAnswered,
    CallFailed,
    Connected,
    Disconnected,
    ProxyApplied,
    ProxyRefused,
    Received,
    TimerFired,
)
from mesosphere.kernel.ids import IdSource


def app(name: str, port: int, instances: int = 2, **labels: str) -> dict[str, Any]:
    return {
        "id": f"/{name}",
        "labels": {"HAPROXY_GROUP": "external", **labels},
        "portDefinitions": [{"port": port}],
        "tasks": [
            {
                "id": f"{name}.{number}",
                "host": "127.0.0.1",
                "ports": [port + 10_000 + number],
                "state": "TASK_RUNNING",
            }
            for number in range(instances)
        ],
    }


def machine(*endpoints: str) -> ProxyMachine:
    config = ProxyConfig(endpoints=endpoints or ("http://m:8080",), groups=("external",))
    made = ProxyMachine(config, IdSource(b"seed" * 8))
    made.start(0.0)
    return made


def answer(made: ProxyMachine, body: bytes, status: int = 200) -> list[Effect]:
    return made.handle(1.0, CallAnswered(APPS_CALL, status, {}, body))


def read(made: ProxyMachine, *apps: dict[str, Any]) -> list[ApplyProxyConfiguration]:
    return applications(answer(made, json.dumps({"apps": list(apps)}).encode()))


def applications(effects: list[Effect]) -> list[ApplyProxyConfiguration]:
    return [effect for effect in effects if isinstance(effect, ApplyProxyConfiguration)]


def accept(made: ProxyMachine) -> list[ApplyProxyConfiguration]:
    return applications(made.handle(2.0, ProxyApplied(made.generation, reloaded=True)))


def serving(*apps: dict[str, Any]) -> ProxyMachine:
    made = machine()
    assert len(read(made, *apps)) == 1
    assert accept(made) == []
    return made


def served(made: ProxyMachine) -> list[str]:
    return [] if made.active is None else [service.app for service in made.active.services]


def again(made: ProxyMachine) -> None:
    made.handle(3.0, TimerFired(REFRESH_TIMER))


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b'{"message":"broken"}'),
        (503, b""),
        (200, b""),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b"{}"),
        (200, b'{"apps":null}'),
        (200, b'{"apps":[{"labels":{}}]}'),
        (200, b'{"apps":[1]}'),
        (200, b'{"apps":[{"id":"/web","tasks":[1]}]}'),
        (200, b'{"apps":[{"id":"/web","tasks":"none"}]}'),
        (200, b'{"apps":[{"id":"/web","labels":[1]}]}'),
        (200, b'{"apps":[{"id":"/web","portDefinitions":[7]}]}'),
        (200, b"\xff\xfe"),
    ],
)
def test_an_answer_that_is_no_list_of_apps_changes_nothing(status: int, body: bytes) -> None:
    made = serving(app("web", 10_000))
    text = made.text
    again(made)
    effects = answer(made, body, status)
    assert applications(effects) == []
    assert made.text == text
    assert served(made) == ["/web"]
    assert [effect.name for effect in effects if isinstance(effect, SetTimer)] == [RETRY_TIMER]


def test_a_read_that_gets_no_answer_changes_nothing_and_is_repeated_elsewhere() -> None:
    made = machine("http://a:1", "http://b:1")
    read(made, app("web", 10_000))
    accept(made)
    again(made)
    assert applications(made.handle(4.0, CallFailed(APPS_CALL, "refused", definite=True))) == []
    assert served(made) == ["/web"]
    (call,) = made.handle(6.0, TimerFired(RETRY_TIMER))
    assert isinstance(call, Call)
    assert call.url.startswith("http://b:1/")


def test_a_lost_stream_is_connected_again_with_growing_pauses_and_then_read() -> None:
    made = serving(app("web", 10_000))
    pauses = []
    for _ in range(20):
        effects = made.handle(5.0, Disconnected(STREAM, "broken"))
        timers = [effect for effect in effects if isinstance(effect, SetTimer)]
        assert [timer.name for timer in timers] == [RECONNECT_TIMER]
        pauses.append(timers[0].delay_s)
        (connect,) = made.handle(6.0, TimerFired(RECONNECT_TIMER))
        assert isinstance(connect, Connect)
    assert pauses[0] <= 1.0
    assert pauses[10] > 10 * pauses[0]
    assert max(pauses) <= 300.0
    effects = made.handle(7.0, Connected(STREAM, 200, {}))
    assert [effect.call for effect in effects if isinstance(effect, Call)] == [APPS_CALL]
    assert served(made) == ["/web"]


def test_apps_are_read_on_a_timer_even_while_no_stream_can_be_had() -> None:
    made = serving(app("web", 10_000))
    made.handle(5.0, Disconnected(STREAM, "broken"))
    effects = made.handle(300.0, TimerFired(REFRESH_TIMER))
    assert [effect.call for effect in effects if isinstance(effect, Call)] == [APPS_CALL]


def test_events_during_a_read_collapse_into_one_more_read() -> None:
    made = serving(app("web", 10_000))
    record = json.dumps({"event": "x", "data": '{"eventType":"api_post_event"}'}).encode()
    calls = [made.handle(5.0, Received(STREAM, record)) for _ in range(10)]
    assert [len(found) for found in calls] == [1, *[0] * 9]
    after = answer(made, json.dumps({"apps": [app("web", 10_000)]}).encode())
    assert [type(effect) for effect in after] == [Call]


def test_a_killed_instance_gets_no_connections_before_the_apps_are_read_again() -> None:
    made = serving(app("web", 10_000))
    data = json.dumps({"taskId": "web.0", "taskStatus": "TASK_KILLING"})
    record = json.dumps({"event": "status_update_event", "data": data}).encode()
    (applied,) = applications(made.handle(5.0, Received(STREAM, record)))
    assert not applied.reload
    assert applied.commands == ("set server web_10000/127_0_0_1_20000 state maint",)


def test_unchanged_apps_are_not_applied_again() -> None:
    made = serving(app("web", 10_000))
    again(made)
    assert read(made, app("web", 10_000)) == []


def test_an_app_that_haproxy_refuses_is_left_out_and_the_others_are_served() -> None:
    made = serving(app("web", 10_000))
    again(made)
    bad = app("bad", 10_001, HAPROXY_0_BACKEND_HEAD="nonsense")
    (first,) = read(made, app("web", 10_000), bad, app("new", 10_002))
    tried = [first]
    while tried:
        tried = (
            applications(made.handle(5.0, ProxyRefused(made.generation, "nonsense")))
            if "nonsense" in tried[0].text
            else accept(made)
        )
    assert served(made) == ["/new", "/web"]
    assert made.active is not None
    assert dict(made.active.excluded) == {"/bad": "nonsense"}


def test_only_apps_of_the_groups_are_served() -> None:
    other = app("other", 10_001, HAPROXY_GROUP="internal")
    several = app("several", 10_002, HAPROXY_GROUP="internal,external")
    none = {**app("none", 10_003), "labels": {}}
    assert served(serving(app("web", 10_000), other, several, none)) == ["/several", "/web"]


def test_an_empty_label_leaves_out_its_app_and_not_the_daemon() -> None:
    made = serving(app("web", 10_000))
    again(made)
    read(made, app("web", 10_000, instances=3, HAPROXY_0_BALANCE=" "), app("b", 10_001))
    accept(made)
    assert made.active is not None
    assert "HAPROXY_0_BALANCE" in dict(made.active.excluded)["/web"]
    assert served(made) == ["/b"]
