"""Runs a master: flags to configuration, configuration to machine, machine to node."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from mesosphere import MESOS_VERSION
from mesosphere.kernel.durations import parse_duration
from mesosphere.kernel.flags import Settings, UsageError, parse
from mesosphere.kernel.ids import IdSource
from mesosphere.kernel.resource_text import parse_resources
from mesosphere.kernel.resources import ResourcesError
from mesosphere.master.api import api
from mesosphere.master.core.allocator.claims import Alternatives
from mesosphere.master.core.config import MasterConfig
from mesosphere.master.core.machine import MasterMachine
from mesosphere.master.flags import FLAGS
from mesosphere.runtime.addresses import advertised_address, host_name
from mesosphere.runtime.coordination import open_coordination
from mesosphere.runtime.node import Node, serve
from mesosphere.wire.errors import WireError
from mesosphere.wire.mesos import MasterInfo
from mesosphere.wire.mesos.agents import describe_master
from mesosphere.wire.mesos.domains import parse_domain


def describe(settings: Settings) -> MasterInfo:
    """What this master tells of itself in the election; the id comes with each start.

    Raises UsageError.
    """
    ip = advertised_address(settings.advertise_ip, settings.ip)
    port = settings.advertise_port or settings.port
    hostname = settings.hostname or (host_name(ip) if settings.hostname_lookup else ip)
    try:
        domain = parse_domain(settings.domain)
    except WireError as error:
        raise UsageError(f"--domain: {error}") from error
    return describe_master("", hostname, ip, port, MESOS_VERSION, domain)


def configure(settings: Settings) -> MasterConfig:
    """The machine's configuration of a command line. Raises UsageError."""
    return MasterConfig(
        info=describe(settings),
        group=settings.zk or "alone",
        cluster=settings.cluster,
        allocation_interval_s=settings.allocation_interval,
        offer_timeout_s=settings.offer_timeout,
        agent_ping_interval_s=settings.agent_ping_timeout,
        max_agent_ping_timeouts=settings.max_agent_ping_timeouts,
        agent_reregister_timeout_s=settings.agent_reregister_timeout,
        agent_removal_interval_s=_removal_interval(settings.agent_removal_rate_limit),
        recovery_agent_removal_limit=_part(settings.recovery_agent_removal_limit),
        registry_gc_interval_s=settings.registry_gc_interval,
        registry_max_agent_age_s=settings.registry_max_agent_age,
        registry_max_agent_count=settings.registry_max_agent_count,
        max_completed_frameworks=settings.max_completed_frameworks,
        max_completed_tasks_per_framework=settings.max_completed_tasks_per_framework,
        max_unreachable_tasks_per_framework=settings.max_unreachable_tasks_per_framework,
        max_operator_subscribers=settings.max_operator_event_stream_subscribers,
        require_agent_domain=settings.require_agent_domain,
        root_submissions=settings.root_submissions,
        roles=settings.roles,
        weights=_weights(settings.weights),
        filter_gpu_resources=settings.filter_gpu_resources,
        publish_per_framework_metrics=settings.publish_per_framework_metrics,
        min_allocatable=_least(settings.min_allocatable_resources),
        agent_recovery_factor=_factor(settings.allocator_agent_recovery_factor),
        allocator_recovery_timeout_s=settings.allocator_recovery_timeout,
        fair_sharing_excluded=settings.fair_sharing_excluded_resource_names,
        flags=settings.as_strings(),
    )


def _removal_interval(text: str | None) -> float:
    """Seconds between two removals of "N/duration"; 0: no limit."""
    if text is None:
        return 0.0
    count, _, duration = text.partition("/")
    try:
        permits, seconds = int(count), parse_duration(duration)
    except ValueError as error:
        raise UsageError(f"--agent_removal_rate_limit: '{text}' is not N/duration") from error
    if permits <= 0 or seconds <= 0:
        raise UsageError(f"--agent_removal_rate_limit: both parts of '{text}' must be above 0")
    return seconds / permits


def _part(text: str) -> float:
    """0 to 1 of "0%" to "100%"."""
    if not re.fullmatch(r"\d{1,3}(\.\d+)?%", text) or float(text[:-1]) > 100:
        raise UsageError(f"--recovery_agent_removal_limit: '{text}' is not 0% to 100%")
    return float(text[:-1]) / 100


def _least(text: str) -> Alternatives:
    """`cpus:0.01|mem:32`: alternatives of resources. Raises UsageError."""
    alternatives = []
    for part in filter(None, (part.strip() for part in text.split("|"))):
        try:
            resources = parse_resources(part)
        except ResourcesError as error:
            raise UsageError(f"--min_allocatable_resources: '{part}': {error}") from error
        scalars = resources.unreserved().scalars()
        if len(scalars) != len(resources):
            raise UsageError(f"--min_allocatable_resources: '{part}': only plain scalars count")
        alternatives.append(scalars)
    return tuple(alternatives)


def _factor(value: float) -> float:
    if not 0 <= value <= 1:
        raise UsageError(f"--allocator_agent_recovery_factor: {value} is not between 0 and 1")
    return value


def _weights(text: str | None) -> dict[str, float]:
    weights: dict[str, float] = {}
    for part in (text or "").split(","):
        if not part.strip():
            continue
        role, _, weight = part.partition("=")
        try:
            weights[role.strip()] = float(weight)
        except ValueError as error:
            raise UsageError(f"--weights: '{part}' is not role=weight") from error
        if weights[role.strip()] <= 0:
            raise UsageError(f"--weights: the weight of '{role}' must be above 0")
    return weights


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run in the foreground until asked to end; returns the exit code.

    Raises UsageError or HelpRequested.
    """
    settings = parse(
        FLAGS,
        arguments,
        environ,
        program="mesosphere master",
        prefix="MESOS",
        read=lambda path: Path(path).read_text(),
        summary="Offers the resources of agents to frameworks.",
    )
    config = configure(settings)
    machine = MasterMachine(config, IdSource(os.urandom(32)))
    work_dir = Path(settings.work_dir)
    # The registry stands beside the election: other readers take every child there for a master.
    registry = None if settings.zk is None else f"{settings.zk.rstrip('/')}-registry"
    node = Node(
        name="master",
        machine=machine,
        api=api(machine),
        listen=(settings.ip, settings.port),
        work_dir=work_dir,
        coordination=open_coordination(
            registry, work_dir / "registry", session_timeout_s=settings.zk_session_timeout
        ),
        log_level=settings.logging_level,
    )
    return serve(node)
