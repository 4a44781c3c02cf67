"""Offers that are put together of parts: they read as those written whole."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesosphere.kernel.resources import Identity, Resources
from mesosphere.master.core.offer_messages import as_message, encode
from mesosphere.master.core.state import Agent, ExecutorRecord, Framework, Offer, Outage
from mesosphere.wire import mesos, recordio
from mesosphere.wire.mesos import offer_parts, scheduler
from mesosphere.wire.mesos.media import Media
from tests.unit.kernel.test_resources import resources_values

CAPABILITIES = ("MULTI_ROLE", "RESERVATION_REFINEMENT")
texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8) | st.just("null")
ephemeral = st.sampled_from(
    (Resources(), Resources([(Identity("ephemeral_ports", "RANGES"), ((1, 9),))]))
)


@st.composite
def agents_of(draw: st.DrawFn) -> Agent:
    attributes = [
        mesos.Attribute(name=name, type="TEXT", text=mesos.Text(value=value))
        for name, value in draw(st.lists(st.tuples(texts, texts), max_size=3))
    ]
    zone, region = mesos.ZoneInfo(name="z"), mesos.RegionInfo(name=draw(texts))
    fault_domain = mesos.FaultDomain(region=region, zone=zone)
    domain = draw(st.sampled_from((None, mesos.DomainInfo(fault_domain=fault_domain))))
    info = mesos.AgentInfo(hostname=draw(texts), attributes=attributes, domain=domain)
    agent = Agent("M-S1", info, Resources(), "1", "slave(1)@10.0.0.1:5051", 0.0)
    if draw(st.booleans()):
        start = mesos.TimeInfo(nanoseconds=draw(st.integers(0, 2**62)))
        agent.outage = Outage(mesos.Unavailability(start=start))
    for owner, executor in draw(st.lists(st.tuples(st.sampled_from("fg"), texts), max_size=3)):
        executor_info = mesos.ExecutorInfo(executor_id=mesos.ExecutorID(executor))
        agent.executors[owner, executor] = ExecutorRecord(executor_info, Resources(), "*")
    return agent


def framework_of(media: Media, capabilities: set[str]) -> Framework:
    able = [mesos.FrameworkCapability(type=name) for name in sorted(capabilities)]
    info = mesos.FrameworkInfo(user="u", name="n", capabilities=able)
    return Framework("f", info, 0.0, media=media)


def read(media: Media, record: bytes) -> scheduler.Event:
    [data] = recordio.Decoder().feed(record)
    return media.decode(data, scheduler.Event)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(Media),
    st.sets(st.sampled_from(CAPABILITIES)),
    st.lists(st.tuples(agents_of(), resources_values(), ephemeral, texts), min_size=1, max_size=3),
)
def test_offers_put_together_read_as_those_written_whole(
    media: Media,
    capabilities: set[str],
    made: list[tuple[Agent, Resources, Resources, str]],
) -> None:
    framework = framework_of(media, capabilities)
    whole, parts = [], []
    for number, (agent, amounts, hidden, role) in enumerate(made):
        resources = amounts.allocated_to(None) + hidden
        offer = Offer(f"M-O{number}", "f", agent.id, role, resources, 0.0)
        whole.append(as_message(offer, agent, framework))
        parts.append(encode(offer, agent, framework))
        assert encode(offer, agent, framework) == parts[-1]
    event = scheduler.Event(type="OFFERS", offers=scheduler.Offers(offers=whole))
    told = read(media, offer_parts.record(media, parts))
    assert told == read(media, media.record(event))
    assert told.offers is not None and len(told.offers.offers) == len(made)


@pytest.mark.parametrize("media", Media)
def test_an_agent_that_changed_is_told_as_it_is_now(media: Media) -> None:
    framework = framework_of(media, set())
    info = mesos.AgentInfo(hostname="before")
    agent = Agent("M-S1", info, Resources(), "1", "slave(1)@10.0.0.1:5051", 0.0)
    offer = Offer("M-O1", "f", agent.id, "*", Resources.of(cpus=1), 0.0)
    encode(offer, agent, framework)
    agent.info = msgspec.structs.replace(info, hostname="after")
    agent.pid = "slave(1)@10.0.0.2:5052"
    told = read(media, offer_parts.record(media, [encode(offer, agent, framework)]))
    assert told.offers is not None
    assert told.offers.offers == [as_message(offer, agent, framework)]


def test_what_is_kept_of_resources_is_bounded() -> None:
    to = offer_parts.recipient(Media.JSON, "f", offer_parts.Format.REFINED, "r")
    for number in range(3 * offer_parts.IDENTITIES_LIMIT):
        shown = Resources([(Identity(f"x{number}"), 1000)])
        assert f'"x{number}"'.encode() in to.offer("o", shown, ())
    assert len(to._identities) <= offer_parts.IDENTITIES_LIMIT
