"""Runs Chronos: flags to configuration, configuration to machine, machine to node."""

import getpass
import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

from mesosphere.chronos.api import api
from mesosphere.chronos.core.machine import ChronosConfig, ChronosMachine
from mesosphere.chronos.core.notifications import Channels
from mesosphere.chronos.flags import FLAGS
from mesosphere.framework.client import ClientConfig
from mesosphere.kernel.flags import Settings, UsageError, parse
from mesosphere.kernel.ids import IdSource
from mesosphere.runtime.coordination import open_coordination
from mesosphere.runtime.node import Node, serve
from mesosphere.wire.chronos import Defaults
from mesosphere.wire.mesos import FrameworkCapability, FrameworkInfo

WEB_CREDENTIALS = "MESOSPHERE_HTTP_CREDENTIALS"
"""The original's variable for --http_credentials."""


def configure(settings: Settings, hostname: str) -> ChronosConfig:
    """The machine's configuration of a command line."""
    identity = f"{hostname}:{settings.http_port}"
    info = FrameworkInfo(
        user=settings.user or getpass.getuser(),
        name=settings.mesos_framework_name,
        role=settings.mesos_role,
        checkpoint=settings.mesos_checkpoint,
        failover_timeout=settings.failover_timeout,
        hostname=hostname,
        principal=settings.mesos_authentication_principal,
        webui_url=settings.webui_url or f"http://{identity}",
        capabilities=[FrameworkCapability(type="TASK_KILLING_STATE")],
    )
    decline_ms = settings.decline_offer_duration
    return ChronosConfig(
        client=ClientConfig(master=settings.master, info=info),
        identity=identity,
        defaults=Defaults(
            cpus=settings.mesos_task_cpu,
            mem_mb=settings.mesos_task_mem,
            disk_mb=settings.mesos_task_disk,
            user=settings.user or getpass.getuser(),
        ),
        role=settings.mesos_role,
        failure_retry_s=settings.failure_retry / 1000,
        disable_after_failures=settings.disable_after_failures,
        reconciliation_interval_s=settings.reconciliation_interval,
        decline_s=None if decline_ms is None else decline_ms / 1000,
        history_limit=settings.job_history_limit,
        channels=Channels(
            http_url=settings.http_notification_url,
            credentials=settings.http_notification_credentials,
            slack_url=settings.slack_url,
            mattermost_url=settings.mattermost_url,
            cluster_name=settings.cluster_name,
        ),
        http_credentials=settings.http_credentials,
        http_realm=settings.http_realm,
    )


def zookeeper_url(settings: Settings) -> str | None:
    """`zk://[auth@]hosts/zk_path`, None when there is no ZooKeeper."""
    hosts = settings.zk_hosts
    if not hosts:
        return None
    hosts = hosts.removeprefix("zk://").split("/", 1)[0]
    auth = f"{settings.zk_auth}@" if settings.zk_auth and "@" not in hosts else ""
    return f"zk://{auth}{hosts}/{settings.zk_path.strip('/')}"


def checked(settings: Settings) -> Settings:
    """The settings, if they make sense. Raises UsageError."""
    for name in ("http_credentials", "http_notification_credentials"):
        value = getattr(settings, name)
        if value is not None and ":" not in value:
            raise UsageError(f"mesosphere chronos: --{name} must be user:password")
    if '"' in settings.http_realm or not settings.http_realm.isprintable():
        raise UsageError("mesosphere chronos: --http_realm must be a plain name")
    return settings


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run in the foreground until asked to end; returns the exit code.

    Raises UsageError or HelpRequested.
    """
    variables = dict(environ)
    if WEB_CREDENTIALS in variables:
        variables.setdefault("CHRONOS_HTTP_CREDENTIALS", variables[WEB_CREDENTIALS])
    settings = checked(
        parse(
            FLAGS,
            arguments,
            variables,
            program="mesosphere chronos",
            prefix="CHRONOS",
            read=lambda path: Path(path).read_text(),
            summary="Runs jobs on a schedule or after other jobs.",
        )
    )
    hostname = settings.hostname or socket.gethostname()
    machine = ChronosMachine(configure(settings, hostname), IdSource(os.urandom(32)))
    state_dir = Path(settings.state_dir)
    zk_url = zookeeper_url(settings)
    node = Node(
        name="chronos",
        machine=machine,
        api=api(machine),
        listen=(settings.http_address, settings.http_port),
        work_dir=None,
        coordination=open_coordination(
            zk_url, state_dir, session_timeout_s=settings.zk_timeout / 1000
        ),
        log_level=settings.logging_level,
    )
    return serve(node)
