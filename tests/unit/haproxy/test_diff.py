"""From one model to the next: the difference leads from the one to the other."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mesosphere.haproxy.core.diff import Step, compare
from mesosphere.haproxy.core.model import Model, build
from mesosphere.haproxy.core.render import Front, render


def app(name: str, ports: list[int], **labels: str) -> dict[str, Any]:
    return {
        "id": f"/{name}",
        "labels": labels,
        "portDefinitions": [{"port": 10_000 + ord(name)}],
        "tasks": [
            {"id": f"{name}.{port}", "host": "10.0.0.1", "ports": [port], "state": "TASK_RUNNING"}
            for port in ports
        ],
    }


def model(apps: list[dict[str, Any]]) -> Model:
    return build(apps, ("*",))


PORTS = st.lists(st.integers(31_000, 31_020), unique=True, max_size=8)
APPS = st.dictionaries(st.sampled_from("abc"), PORTS, max_size=3).map(
    lambda found: [app(name, ports) for name, ports in found.items()]
)


def servers(found: Model) -> dict[str, set[str]]:
    return {service.name: {server.name for server in service.servers} for service in found.services}


@settings(deadline=None)
@given(APPS, APPS)
def test_commands_lead_from_the_old_servers_to_the_new(
    old_apps: list[dict[str, Any]], new_apps: list[dict[str, Any]]
) -> None:
    old, new = model(old_apps), model(new_apps)
    difference = compare(old, new)
    running = servers(old)
    if difference.step is Step.RELOAD:
        assert running.keys() != servers(new).keys()
        return
    for command in difference.commands:
        words = command.split()
        if command.startswith("set server") and words[-1] == "maint":
            backend, name = words[2].split("/")
            running[backend].remove(name)
        elif command.startswith("add server"):
            backend, name = words[2].split("/")
            assert name not in running[backend]
            running[backend].add(name)
    assert running == servers(new)
    assert (difference.step is Step.NOTHING) == (servers(old) == servers(new))


@given(APPS)
def test_equal_models_need_nothing(apps: list[dict[str, Any]]) -> None:
    assert compare(model(apps), model(apps)).step is Step.NOTHING


@given(APPS.flatmap(lambda apps: st.tuples(st.just(apps), st.permutations(apps))))
def test_the_order_of_apps_and_tasks_does_not_matter(
    both: tuple[list[dict[str, Any]], list[dict[str, Any]]],
) -> None:
    apps, shuffled = both
    turned = [{**found, "tasks": found["tasks"][::-1]} for found in shuffled]
    assert model(apps) == model(turned)
    assert render(model(apps), Front()) == render(model(turned), Front())


def test_a_server_that_returns_from_its_way_out_is_made_ready_and_not_added_again() -> None:
    two, one = model([app("a", [1, 2])]), model([app("a", [1])])
    leaving = compare(two, one).leaving
    assert leaving == ("a_10097/10_0_0_1_2",)
    back = compare(one, two, leaving)
    assert back.commands == ("set server a_10097/10_0_0_1_2 state ready",)
    assert back.leaving == ()


def test_new_servers_are_added_before_old_ones_are_closed() -> None:
    commands = compare(model([app("a", [1])]), model([app("a", [2])])).commands
    assert [command.split()[0] for command in commands] == ["add", "set", "set"]
    assert commands[-1].endswith("a_10097/10_0_0_1_1 state maint")


def test_what_servers_cannot_be_added_to_at_run_time_is_reloaded() -> None:
    for labels in ({"HAPROXY_0_STICKY": "true"}, {"HAPROXY_0_BALANCE": "source"}):
        old, new = model([app("a", [1], **labels)]), model([app("a", [1, 2], **labels)])
        assert compare(old, new).step is Step.RELOAD


def test_a_changed_label_is_reloaded() -> None:
    old, new = model([app("a", [1])]), model([app("a", [1], HAPROXY_0_MODE="http")])
    assert compare(old, new).step is Step.RELOAD
