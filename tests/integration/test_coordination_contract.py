"""One contract for sessions, elections and lost answers: the real ZooKeeper's and the simulated's.

The simulation may only be as kind, and only as cruel, as the real one is.
"""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.integration.coordination import (
    Ensembles,
    InDoubt,
    Party,
    SimulatedEnsembles,
    real_ensembles,
)
from tests.integration.marathon_stack import Stack

from mesosphere.kernel.store import ABSENT, Put


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    stack = Stack(tmp_path_factory.mktemp("ensemble"))
    try:
        stack.start_zookeeper()
        yield int(stack.zookeeper.rpartition(":")[2])
    finally:
        stack.close()


@pytest.fixture(params=["zookeeper", "simulated"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ensembles]:
    if request.param == "simulated":
        yield SimulatedEnsembles()
        return
    port = request.getfixturevalue("server")
    root = "/" + request.node.name.partition("[")[0]
    async with real_ensembles(port, root, tmp_path) as found:
        yield found


async def standing(world: Ensembles, *names: str) -> list[Party]:
    """Parties that stand one after the other, so that the first leads."""
    parties = []
    for name in names:
        party = await world.party(name)
        world.stand(party)
        first = parties[0].name if parties else name
        await world.wait(lambda p=party, f=first: p.leaders[-1:] == [f], f"{name} hears of {first}")  # type: ignore[misc]
        parties.append(party)
    return parties


async def test_the_first_who_stands_leads_and_everybody_hears_it(world: Ensembles) -> None:
    follower = await world.party("f")
    a, b = await standing(world, "a", "b")
    await world.wait(lambda: follower.leaders[-1:] == ["a"], "the follower hears of a")
    assert a.leads and not b.leads and not follower.leads


async def test_who_withdraws_is_followed_by_the_next_in_line(world: Ensembles) -> None:
    follower = await world.party("f")
    a, b, c = await standing(world, "a", "b", "c")
    world.withdraw(a)
    await world.wait(lambda: b.leads and not a.leads, "b leads")
    world.withdraw(b)
    await world.wait(lambda: c.leads, "c leads")
    await world.wait(lambda: follower.leaders[-1:] == ["c"], "the follower hears of c")
    assert (a.losses, b.losses) == (0, 0)
    # Changes are told in their order; one may be skipped, none comes back.
    told = [each for each in follower.leaders if each is not None]
    assert told == sorted(set(told))


async def test_nobody_leads_when_the_last_one_has_gone(world: Ensembles) -> None:
    follower = await world.party("f")
    [a] = await standing(world, "a")
    await world.wait(lambda: follower.leaders[-1:] == ["a"], "the follower hears of a")
    world.withdraw(a)
    await world.wait(lambda: follower.leaders[-1:] == [None], "nobody leads")
    await world.wait(lambda: a.leaders[-1:] == [None], "a hears it, too")


async def test_an_expired_session_is_told_and_ends_the_lead(world: Ensembles) -> None:
    a, b = await standing(world, "a", "b")
    await world.expire(a)
    await world.wait(lambda: a.losses == 1 and not a.leads, "a is told")
    await world.wait(lambda: b.leads, "b leads")
    await world.wait(lambda: a.leaders[-1:] == ["b"], "a hears of b")
    # It stands again, behind.
    world.withdraw(b)
    await world.wait(lambda: a.leads, "a leads again")


async def test_who_only_follows_is_told_of_leaders_by_its_next_session(world: Ensembles) -> None:
    follower = await world.party("f")
    a, _ = await standing(world, "a", "b")
    await world.wait(lambda: follower.leaders[-1:] == ["a"], "the follower hears of a")
    await world.expire(follower)
    world.withdraw(a)
    await world.wait(lambda: follower.leaders[-1:] == ["b"], "the follower hears of b")
    assert follower.losses == 0


async def test_a_clean_end_gives_the_lead_away_at_once(world: Ensembles) -> None:
    a, b = await standing(world, "a", "b")
    await world.end(a)
    await world.pass_time(world.session_s / 3)
    assert b.leads


async def test_a_crash_leaves_the_lead_until_the_session_has_expired(world: Ensembles) -> None:
    a, b = await standing(world, "a", "b")
    world.crash(a)
    await world.pass_time(world.session_s / 3)
    assert not b.leads
    await world.wait(lambda: b.leads, "b leads")


async def test_a_lost_connection_is_no_lost_session(world: Ensembles) -> None:
    a, b = await standing(world, "a", "b")
    world.cut(a)
    await world.pass_time(world.session_s / 6)
    world.mend(a)
    await world.pass_time(world.session_s / 3)
    assert a.leads and a.losses == 0 and not b.leads


async def test_who_is_cut_off_for_long_ends_its_lead_by_itself(world: Ensembles) -> None:
    a, b = await standing(world, "a", "b")
    world.cut(a)
    await world.wait(lambda: b.leads, "b leads")
    await world.wait(lambda: a.losses == 1, "a counts for itself")
    assert not a.leads
    world.mend(a)
    await world.wait(lambda: a.leaders[-1:] == ["b"], "a hears of b")
    assert not a.leads


async def test_a_commit_whose_answer_is_lost_is_in_doubt_and_made(world: Ensembles) -> None:
    a, b = await world.party("a"), await world.party("b")
    assert await world.commit(a, [Put("/n", b"1")]) == {"/n": 0}
    world.deafen(a)
    with pytest.raises(InDoubt):
        await world.commit(a, [Put("/n", b"2", 0)])
    assert (await world.load(b, "/n"))["/n"] == (b"2", 1)
    world.mend(a)
    assert await world.commit(a, [Put("/n", b"3", 1)]) == {"/n": 2}


async def test_a_commit_in_doubt_holds_up_no_later_one_for_ever(world: Ensembles) -> None:
    a = await world.party("a")
    assert await world.commit(a, [Put("/n", b"1", ABSENT)]) == {"/n": 0}
    world.cut(a)
    with pytest.raises(InDoubt):
        await world.commit(a, [Put("/n", b"2", 0)])
    world.mend(a)
    # Made or not: whoever reads sees which, and goes on from there.
    data, version = (await world.load(a, "/n"))["/n"]
    assert (data, version) in ((b"1", 0), (b"2", 1))
    assert await world.commit(a, [Put("/m", b"1", ABSENT)]) == {"/m": 0}
