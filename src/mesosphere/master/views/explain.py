"""Why a framework gets no offers, or a demand can't be met: an answer that no Mesos gives.

Every agent is judged by the allocator's own rules for each claim (a framework in a role); what is
shown is the number of agents by cause, and the first few agents in full. Work and answer are
bounded: only so many claims are judged, and so many agents for all of them together (every so many
of a larger cluster); so many agents are listed for all claims together, each with so much text.
What is left out is told in `truncated`.
"""

from typing import NamedTuple

from mesosphere.kernel.resources import Resources, format_resources
from mesosphere.master.core import enrolment
from mesosphere.master.core.allocator.claims import Cause, Claimant, Hindrance, Slot, part_for
from mesosphere.master.core.allocator.quotas import Budget, headroom
from mesosphere.master.core.allocator.shares import top_of
from mesosphere.master.core.machine import MasterMachine
from mesosphere.master.core.offers import is_held
from mesosphere.master.core.quotas import as_config, as_wire, consumptions
from mesosphere.master.core.state import Agent, Framework
from mesosphere.master.views.roles import known_roles
from mesosphere.wire.mesos.explanations import AgentVerdict, CauseCount, Claim, Explanation

CLAIMS_LIMIT = 20
JUDGEMENTS_LIMIT = 10_000
AGENTS_SHOWN = 20
AGENTS_LIMIT = 1_000
"""Agents that are listed for all claims together."""

FREE_LIMIT = 500
"""Characters of what is free on an agent."""

OFFERABLE = "OFFERABLE"
OFFERED = "OFFERED"
TOO_SMALL = "TOO_SMALL"
LACKING = "LACKING"

REASONS = {
    **{cause.name: cause.value for cause in Cause},
    OFFERABLE: "it will be offered when the framework's turn comes",
    OFFERED: "what is free of it is offered to frameworks now",
    TOO_SMALL: "the agent is too small for what is asked for, even when it is empty",
    LACKING: "what could be offered of it is less than what is asked for",
}


class _Found(NamedTuple):
    cause: str
    until: float | None = None
    lacks: dict[str, int] = {}


class _Counts(NamedTuple):
    """How many claims and agents there are, and how many of them were judged."""

    claims: int
    shown: int
    agents: int
    judged: int


class _Question(NamedTuple):
    """What is asked: the demand on one agent, if any, and how many agents to show."""

    now: float
    demand: dict[str, int]
    agents: int


def explain(
    master: MasterMachine,
    now: float,
    framework_id: str | None,
    role: str | None,
    demand: Resources,
    agents: int = AGENTS_SHOWN,
) -> Explanation | str:
    """Explain claims of a framework, of a role, or one of both; a text if there is no such thing.

    `demand`: only its scalars count.
    """
    frameworks = master.state.frameworks
    if framework_id is not None and framework_id not in frameworks:
        return f"No framework found with ID {framework_id}"
    if role is not None and role not in known_roles(master):
        return f"No role found with name {role}"
    chosen = list(frameworks.values()) if framework_id is None else [frameworks[framework_id]]
    claims = [
        (framework, name)
        for framework in chosen
        for name in framework.roles
        if role is None or role == name
    ]
    judged_claims = claims[:CLAIMS_LIMIT]
    judged = _sample(list(master.state.agents.values()), len(judged_claims))
    most = AGENTS_LIMIT // max(len(judged_claims), 1)
    question = _Question(now, demand.scalars(), min(agents, most))
    shown = _judge_all(master, question, judged_claims, judged)
    counts = _Counts(len(claims), len(shown), len(master.state.agents), len(judged))
    return Explanation(
        agents_known=counts.agents,
        agents_judged=counts.judged,
        claims_known=counts.claims,
        verdict=_summary(master, now, shown, role),
        truncated=_left_out(counts, question.agents, most),
        claims=shown,
    )


def _sample(agents: list[Agent], claims: int) -> list[Agent]:
    """As many agents as can be judged for each of so many claims, from everywhere among all."""
    share = JUDGEMENTS_LIMIT // max(claims, 1)
    if len(agents) <= share:
        return agents
    return [agents[place * len(agents) // share] for place in range(share)]


def _left_out(counts: _Counts, listed: int, most: int) -> list[str]:
    """What of the whole the answer does not have, in words."""
    told = []
    if counts.shown < counts.claims:
        told.append(f"{counts.shown} of {counts.claims} claims are shown: ask for one framework")
    if counts.judged < counts.agents:
        told.append(f"{counts.judged} of {counts.agents} agents were looked at for each claim")
    if counts.shown and listed < counts.judged:
        told.append(
            f"{listed} of {counts.judged} agents are listed for each claim"
            f" ('agents' asks for more, {most} here at most)"
        )
    return told


def _summary(master: MasterMachine, now: float, claims: list[Claim], role: str | None) -> str:
    if is_held(master, now):
        return "with quotas set, a new leader offers nothing before most agents are back"
    if not claims:
        return f"no framework is subscribed to {'any role' if role is None else role}"
    if len(claims) == 1:
        return claims[0].verdict
    able = sum(1 for claim in claims if any(each.cause == OFFERABLE for each in claim.causes))
    return f"{able} of {len(claims)} frameworks in roles can be offered something now"


def _judge_all(
    master: MasterMachine,
    question: _Question,
    claims: list[tuple[Framework, str]],
    agents: list[Agent],
) -> list[Claim]:
    slots = {slot.id: slot for slot in enrolment.slots(master, master.state.agents.values())}
    budget = master.allocator.budget(slots.values())
    held_back = headroom(master.tree, master.allocator.quotas)
    consumed = consumptions(master, {top_of(role) for _, role in claims})
    shown = []
    for framework, role in claims:
        top = top_of(role)
        quota = master.allocator.quotas.get(top)
        causes, verdicts = _judge(master, question, framework, role, agents, slots, budget)
        shown.append(
            Claim(
                framework_id=framework.id,
                name=framework.info.name,
                role=role,
                connected=framework.is_connected,
                suppressed=role in framework.suppressed,
                verdict=_verdict(causes, len(agents), bool(question.demand)),
                outstanding_offers=sum(
                    1 for offer in framework.offers.values() if offer.role == role
                ),
                role_share=master.tree.share_of(role),
                framework_share=master.tree.share_of(role, framework.id),
                weight=master.tree.weights.get(role, 1.0),
                quota=None if quota is None else as_config(top, quota),
                consumed=as_wire(consumed[top]),
                held_back=as_wire(held_back),
                causes=causes,
                agents=verdicts,
            )
        )
    return shown


def _judge(
    master: MasterMachine,
    question: _Question,
    framework: Framework,
    role: str,
    agents: list[Agent],
    slots: dict[str, Slot],
    budget: Budget | None,
) -> tuple[list[CauseCount], list[AgentVerdict]]:
    claimant = enrolment.claimant_of(master, framework, role)
    away = None
    if not framework.is_connected:
        away = Cause.NOT_CONNECTED
    elif role in framework.suppressed:
        away = Cause.SUPPRESSED
    counts: dict[str, int] = {}
    verdicts: list[AgentVerdict] = []
    for agent in agents:
        if away is not None:
            found = _Found(away.name)
        else:
            found = _judge_agent(question, claimant, agent, slots.get(agent.id), budget)
        counts[found.cause] = counts.get(found.cause, 0) + 1
        if len(verdicts) < question.agents:
            verdicts.append(
                AgentVerdict(
                    agent_id=agent.id,
                    hostname=agent.info.hostname,
                    free=_shortened(format_resources(agent.free)),
                    cause=found.cause,
                    reason=REASONS[found.cause],
                    until=found.until,
                    lacks=as_wire(found.lacks),
                )
            )
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return [
        CauseCount(cause=cause, reason=REASONS[cause], agents=count) for cause, count in ordered
    ], verdicts


def _judge_agent(
    question: _Question, claimant: Claimant, agent: Agent, slot: Slot | None, budget: Budget | None
) -> _Found:
    if slot is None:
        away = Cause.AGENT_INACTIVE if agent.is_connected else Cause.AGENT_AWAY
        return _Found(away.name)
    demand = question.demand
    if demand and _lacks(demand, agent.total):
        return _Found(TOO_SMALL, lacks=_lacks(demand, agent.total))
    part = part_for(question.now, slot, claimant, budget)
    if isinstance(part, Hindrance):
        if part.cause in (Cause.NOTHING_FREE, Cause.TOO_LITTLE) and agent.offered:
            return _Found(OFFERED)
        until = part.until if question.now < part.until < float("inf") else None
        return _Found(part.cause.name, until)
    lacks = _lacks(demand, part)
    return _Found(LACKING, lacks=lacks) if lacks else _Found(OFFERABLE)


def _shortened(text: str) -> str:
    return text if len(text) <= FREE_LIMIT else f"{text[: FREE_LIMIT - 3]}..."


def _lacks(demand: dict[str, int], have: Resources) -> dict[str, int]:
    scalars = have.scalars()
    return {
        name: amount - scalars.get(name, 0)
        for name, amount in demand.items()
        if amount > scalars.get(name, 0)
    }


def _verdict(causes: list[CauseCount], agents: int, is_demand: bool) -> str:
    able = sum(each.agents for each in causes if each.cause == OFFERABLE)
    if able:
        what = "can be met on" if is_demand else "offers are possible of"
        return f"{what} {able} of {agents} agents"
    if not causes:
        return "there are no agents"
    most = causes[0]
    return f"{most.reason} ({most.agents} of {agents} agents)"
