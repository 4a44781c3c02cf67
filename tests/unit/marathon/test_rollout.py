"""Rollout decisions keep their bounds and come to an end, whatever the order of events."""

import math

from hypothesis import given
from hypothesis import strategies as st

from mesosphere.marathon.core import rollout
from mesosphere.marathon.core.rollout import Seen
from mesosphere.wire.marathon.app import App, UpgradeStrategy


def seen(name: str, *, old: bool = False, ready: bool = True, leaving: bool = False) -> Seen:
    return Seen(name, old, ready, ready, leaving, False, 3, float(len(name)))


def app(instances: int, minimum: float = 1.0, over: float = 1.0) -> App:
    strategy = UpgradeStrategy(minimum_health_capacity=minimum, maximum_over_capacity=over)
    return App(id="/a", instances=instances, upgrade_strategy=strategy)


def test_missing_instances_are_started_and_surplus_ones_killed() -> None:
    assert rollout.scale(app(3), 3, [seen("a")]) == rollout.Decision(2)
    assert rollout.scale(app(1), 1, [seen("a"), seen("bb")]).kill == ("bb",)
    assert rollout.scale(app(1), 1, [seen("a")]).done


def test_scaling_is_not_done_while_something_leaves_or_is_not_ready() -> None:
    assert not rollout.scale(app(1), 1, [seen("a"), seen("b", leaving=True)]).done
    assert not rollout.scale(app(1), 1, [seen("a", ready=False)]).done


def test_the_oldest_goes_first_where_the_app_says_so() -> None:
    ordered = App(id="/a", kill_selection="OLDEST_FIRST")
    assert rollout.scale(ordered, 1, [seen("a"), seen("bb")]).kill == ("a",)


def test_killing_keeps_groups_even() -> None:
    spread = [
        Seen(name, False, True, True, False, False, 3, at, (zone,))
        for name, at, zone in (("a", 9.0, "x"), ("b", 1.0, "y"), ("c", 2.0, "y"))
    ]
    assert rollout.scale(app(2), 2, spread).kill == ("c",)


def test_scaling_down_keeps_the_healthy() -> None:
    everything = [seen("a", ready=False), seen("bb"), seen("ccc")]
    assert rollout.scale(app(2), 2, everything).kill == ("a",)
    assert rollout.scale(app(1), 1, everything).kill == ("a", "ccc")


def test_ill_old_instances_go_before_healthy_ones() -> None:
    decision = rollout.restart(
        app(4, 0.5), [seen(name, old=True, ready=name != "c") for name in "abcd"]
    )
    assert len(decision.kill) == 2 and "c" in decision.kill


def test_old_instances_that_never_work_do_not_block_an_update() -> None:
    everything = [seen(name, old=True, ready=False) for name in "abcd"]
    assert rollout.restart(app(4), everything).start == 4
    assert rollout.restart(app(4, 1.0, 0.0), everything).start == 1


def test_a_new_instance_too_many_is_killed() -> None:
    assert len(rollout.restart(app(1), [seen("a"), seen("b")]).kill) == 1


@given(
    wanted=st.integers(0, 8),
    before=st.integers(0, 8),
    minimum=st.sampled_from([0.0, 0.3, 0.5, 0.8, 1.0]),
    over=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    script=st.lists(st.sampled_from(["launch", "ready", "end", "fail"]), max_size=60),
)
def test_a_restart_stays_within_its_bounds_and_ends(
    wanted: int, before: int, minimum: float, over: float, script: list[str]
) -> None:
    definition = app(wanted, minimum, over)
    alive = {f"old{number}": seen(f"old{number}", old=True) for number in range(before)}
    least = math.ceil(wanted * minimum - 1e-9)
    most = math.floor(wanted * (1 + over) + 1e-9)
    most = max(most + (1 if least == most else 0), before)
    count = 0
    finishing = ["launch", "ready", "end"] * (4 * (wanted + before) + 8)
    for turn, word in enumerate([*script, *finishing]):
        decision = rollout.restart(definition, list(alive.values()))
        healthy = sum(one.is_healthy and not one.is_leaving for one in alive.values())
        dying = sum(alive[name].is_healthy for name in decision.kill)
        if dying:
            assert healthy - dying >= min(least, healthy)
        for name in decision.kill:
            alive[name] = seen(name, old=alive[name].is_old, leaving=True)
        if word == "launch" and decision.start:
            count += 1
            alive[f"new{count}"] = seen(f"new{count}", ready=False)
            assert len(alive) <= most
        waiting = [name for name, one in alive.items() if not one.is_ready and not one.is_leaving]
        leaving = [name for name, one in alive.items() if one.is_leaving]
        if word == "ready" and waiting:
            alive[waiting[0]] = seen(waiting[0], old=alive[waiting[0]].is_old)
        elif word == "end" and leaving:
            del alive[leaving[0]]
        elif word == "fail" and waiting and turn < len(script):
            del alive[waiting[0]]
    final = rollout.restart(definition, list(alive.values()))
    assert final.done, (alive, final)
    assert sorted(one.is_old for one in alive.values()) == [False] * wanted
