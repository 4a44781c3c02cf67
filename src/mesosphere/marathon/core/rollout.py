"""How many instances to start and which to kill, now, for one action on one app.

Decides, from nothing but the present instances: a decision is always "start up to n, kill these,
done or not", never a list of things to do later. So it may be asked again after each change, and
after a crash, and it comes to the same end.
Vocabulary: an instance is *old* when its configuration is not the app's present one; *ready* when
it runs, is healthy and has passed its readiness checks; *leaving* when it was told to end.
Invariants: while a restart is under way, ready instances never fall below minimumHealthCapacity
by our doing; instances never exceed maximumOverCapacity, plus one where both bounds leave no room.
Source: Marathon, "Deployments"; TaskReplaceActor.scala, ScalingProposition.scala.
"""

import math
from collections.abc import Sequence

import msgspec

from mesosphere.wire.marathon.app import App


class Seen(msgspec.Struct, frozen=True, gc=False):
    """An instance as the rollout sees it. `rank` orders killing: lower goes first."""

    id: str
    is_old: bool
    is_ready: bool
    is_healthy: bool
    is_leaving: bool
    is_missed: bool  # unreachable for so long that a replacement is due
    rank: int
    started_at: float
    spread: tuple[str, ...] = ()  # its values of the GROUP_BY fields


class Decision(msgspec.Struct, frozen=True):
    """What to do now. `start`: how many may be waiting to launch; `done`: the action is over."""

    start: int
    kill: tuple[str, ...] = ()
    done: bool = False


def scale(app: App, count: int, seen: Sequence[Seen]) -> Decision:
    """Bring the app to `count` instances, whatever their configuration."""
    staying = [one for one in seen if not one.is_leaving and not one.is_missed]
    surplus = len(staying) - count
    if surplus > 0:
        return Decision(0, tuple(_victims(app, staying, surplus)))
    ready = sum(one.is_ready for one in staying)
    leaving = any(one.is_leaving for one in seen)
    return Decision(-surplus, (), surplus == 0 and ready >= count and not leaving)


def keep(app: App, seen: Sequence[Seen]) -> Decision:
    """Outside deployments: hold the app at its count."""
    return scale(app, app.instances, seen)


def stop(seen: Sequence[Seen]) -> Decision:
    """End every instance."""
    return Decision(0, tuple(one.id for one in seen if not one.is_leaving), not seen)


def restart(app: App, seen: Sequence[Seen]) -> Decision:
    """Replace old instances by new ones within the app's capacity bounds."""
    wanted = app.instances
    old = [one for one in seen if one.is_old]
    new = [one for one in seen if not one.is_old and not one.is_leaving and not one.is_missed]
    staying = [one for one in old if not one.is_leaving]
    ready_new = sum(one.is_ready for one in new)
    if len(new) > wanted:
        return Decision(0, tuple(_victims(app, new, len(new) - wanted)))
    minimum = math.ceil(wanted * app.upgrade_strategy.minimum_health_capacity - 1e-9)
    maximum = math.floor(wanted * (1 + app.upgrade_strategy.maximum_over_capacity) + 1e-9)
    kept = max(0, minimum - ready_new)
    if minimum == maximum and maximum <= len(staying) + len(new):
        # Neither may one more start nor one less run: without an exception nothing would move.
        if app.is_resident:
            kept = max(0, kept - 1)
        else:
            maximum += 1
    # Keeping the healthy ones keeps `minimum`; an ill one is worth nothing, so it goes first.
    ordered = sorted(staying, key=lambda one: (one.is_healthy, *_order(app, one)))
    kills = tuple(one.id for one in ordered[: max(0, len(ordered) - kept)])
    room = maximum - len(old) - len(new)
    start = max(0, min(wanted - len(new), room))
    return Decision(start, kills, not old and len(new) == wanted and ready_new == wanted)


def _victims(app: App, staying: Sequence[Seen], count: int) -> list[str]:
    """The `count` instances to kill: those that keep GROUP_BY even, by state, the ill, by age."""
    left = sorted(staying, key=lambda one: _order(app, one))
    kills: list[str] = []
    fields = len(left[0].spread) if left else 0
    while len(kills) < count:
        victim = left[0]
        if fields:
            sizes: dict[str, int] = {}
            for one in left:
                sizes[one.spread[0]] = sizes.get(one.spread[0], 0) + 1
            largest = max(sizes.values())
            victim = next(one for one in left if sizes[one.spread[0]] == largest)
        left.remove(victim)
        kills.append(victim.id)
    return kills


def _order(app: App, one: Seen) -> tuple[int, bool, float, str]:
    age = one.started_at if app.kill_selection == "OLDEST_FIRST" else -one.started_at
    return (one.rank, one.is_healthy, age, one.id)
