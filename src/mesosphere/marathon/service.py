"""Runs Marathon: flags to configuration, configuration to machine, machine to node."""

import getpass
import os
import re
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mesosphere.kernel.flags import Settings, UsageError, parse
from mesosphere.kernel.ids import IdSource
from mesosphere.marathon.api import api
from mesosphere.marathon.core.config import MarathonConfig
from mesosphere.marathon.core.machine import MarathonMachine
from mesosphere.marathon.flags import FLAGS
from mesosphere.runtime.coordination import open_coordination
from mesosphere.runtime.node import Node, serve

WEB_CREDENTIALS = "MESOSPHERE_HTTP_CREDENTIALS"
"""The original's variable for --http_credentials."""

EVENT_BYTES = 4096
"""What one event counts for in --event_stream_max_outstanding_messages."""

_CREDENTIALS = re.compile(r"//[^/@]+@")


def configure(settings: Settings, hostname: str) -> MarathonConfig:
    """The machine's configuration of a command line."""
    own = f"{hostname}:{settings.http_port}"
    return MarathonConfig(
        master=settings.master,
        own_address=own,
        hostname=hostname,
        http_port=settings.http_port,
        framework_name=settings.framework_name,
        mesos_user=settings.mesos_user or getpass.getuser(),
        mesos_role=settings.mesos_role,
        principal=settings.mesos_authentication_principal,
        webui_url=settings.webui_url,
        checkpoint=settings.checkpoint,
        failover_timeout_s=settings.failover_timeout,
        executor=settings.executor,
        features=settings.enable_features,
        env_vars_prefix=settings.env_vars_prefix,
        default_network_name=settings.default_network_name,
        mesos_bridge_name=settings.mesos_bridge_name,
        local_port_min=settings.local_port_min,
        local_port_max=settings.local_port_max,
        max_apps=settings.max_apps,
        max_running_deployments=settings.max_running_deployments,
        max_versions=settings.zk_max_versions,
        max_instances_per_offer=settings.max_instances_per_offer,
        launch_tokens=settings.launch_tokens,
        launch_token_refresh_interval_s=settings.launch_token_refresh_interval / 1000,
        decline_offer_duration_s=settings.decline_offer_duration / 1000,
        min_revive_offers_interval_s=settings.min_revive_offers_interval / 1000,
        suppress_offers=settings.suppress_offers,
        maintenance_mode=settings.maintenance_mode,
        draining_s=float(settings.draining_seconds),
        task_launch_confirm_timeout_s=settings.task_launch_confirm_timeout / 1000,
        task_launch_timeout_s=settings.task_launch_timeout / 1000,
        reconciliation_interval_s=settings.reconciliation_interval / 1000,
        scale_apps_initial_delay_s=settings.scale_apps_initial_delay / 1000,
        scale_apps_interval_s=settings.scale_apps_interval / 1000,
        kill_chunk_size=settings.kill_chunk_size,
        kill_retry_timeout_s=settings.kill_retry_timeout / 1000,
        kill_delay_s=settings.kill_delay / 1000,
        max_concurrent_health_checks=settings.max_concurrent_marathon_health_checks,
        event_stream_limit_bytes=settings.event_stream_max_outstanding_messages * EVENT_BYTES,
        access_control_allow_origin=settings.access_control_allow_origin,
        http_credentials=settings.http_credentials,
        http_realm=settings.http_realm,
        shown=shown(settings, hostname),
    )


_SHOWN = (
    "checkpoint",
    "decline_offer_duration",
    "default_network_name",
    "env_vars_prefix",
    "executor",
    "failover_timeout",
    "framework_name",
    "launch_token_refresh_interval",
    "leader_proxy_connection_timeout",
    "leader_proxy_read_timeout",
    "local_port_max",
    "local_port_min",
    "maintenance_mode",
    "max_instances_per_offer",
    "mesos_bridge_name",
    "mesos_heartbeat_failure_threshold",
    "mesos_heartbeat_interval",
    "mesos_leader_ui_url",
    "mesos_role",
    "min_revive_offers_interval",
    "offer_matching_timeout",
    "on_elected_prepare_timeout",
    "reconciliation_initial_delay",
    "reconciliation_interval",
    "scale_apps_initial_delay",
    "scale_apps_interval",
    "store_cache",
    "task_launch_confirm_timeout",
    "task_launch_timeout",
    "task_lost_expunge_initial_delay",
    "task_lost_expunge_interval",
    "task_reservation_timeout",
    "webui_url",
)
_SHOWN_OF_ZOOKEEPER = (
    "zk_compression",
    "zk_compression_threshold",
    "zk_connection_timeout",
    "zk_max_node_size",
    "zk_max_versions",
    "zk_session_timeout",
    "zk_timeout",
)


def shown(settings: Settings, hostname: str) -> dict[str, object]:
    """`marathon_config` and `zookeeper_config` of /v2/info, under the original's keys."""
    config: dict[str, Any] = {name: getattr(settings, name) for name in _SHOWN}
    for name in ("leader_proxy_connection_timeout", "leader_proxy_read_timeout"):
        config[f"{name}_ms"] = config.pop(name)
    config["launch_token"] = settings.launch_tokens
    config["mesos_user"] = settings.mesos_user or getpass.getuser()
    config["master"] = without_credentials(settings.master)
    config["hostname"] = hostname
    config["ha"] = settings.zk is not None
    config["features"] = list(settings.enable_features)
    config["access_control_allow_origin"] = list(settings.access_control_allow_origin) or None
    config["new_group_enforce_role"] = "off"
    zookeeper = {name: getattr(settings, name) for name in _SHOWN_OF_ZOOKEEPER}
    zookeeper["zk"] = without_credentials(settings.zk)
    return {"marathon_config": config, "zookeeper_config": zookeeper}


def without_credentials(url: str | None) -> str | None:
    """A zk:// URL as it may be shown."""
    return None if url is None else _CREDENTIALS.sub("//xxxxxxxx:xxxxxxxx@", url)


def in_our_words(
    arguments: Sequence[str], environ: Mapping[str, str]
) -> tuple[list[str], dict[str, str]]:
    """The original's way to turn switches off (`--disable_x`, `MARATHON_DISABLE_X`) and on (an
    empty variable), in the words of our flags."""
    switches = [flag.name for flag in FLAGS if flag.kind == "bool"]
    off = {f"--disable_{name}": f"--no-{name}" for name in switches}
    variables = dict(environ)
    if WEB_CREDENTIALS in variables:
        variables.setdefault("MARATHON_HTTP_CREDENTIALS", variables[WEB_CREDENTIALS])
    for name in switches:
        if variables.get(f"MARATHON_{name.upper()}") == "":
            variables[f"MARATHON_{name.upper()}"] = "true"
        if variables.pop(f"MARATHON_DISABLE_{name.upper()}", None) is not None:
            variables[f"MARATHON_{name.upper()}"] = "false"
    return [off.get(word, word) for word in arguments], variables


def checked(settings: Settings) -> Settings:
    """The settings, if they make sense together. Raises UsageError."""
    missing = [name for name in settings.enable_features if name in ("secrets", "external_volumes")]
    if missing:
        raise UsageError(
            f"mesosphere marathon: --enable_features: {', '.join(missing)} is not supported yet"
        )
    if settings.http_credentials is not None and ":" not in settings.http_credentials:
        raise UsageError("mesosphere marathon: --http_credentials must be user:password")
    if '"' in settings.http_realm or not settings.http_realm.isprintable():
        raise UsageError("mesosphere marathon: --http_realm must be a plain name")
    if settings.local_port_min > settings.local_port_max:
        raise UsageError("mesosphere marathon: --local_port_min is above --local_port_max")
    if settings.zk is not None and not settings.zk.startswith("zk://"):
        raise UsageError(f"mesosphere marathon: --zk: '{settings.zk}' is not zk://hosts/path")
    if not settings.master.startswith("zk://") and not re.fullmatch(r".+:\d{1,5}", settings.master):
        raise UsageError(
            f"mesosphere marathon: --master: '{settings.master}' is neither zk://hosts/path nor"
            " host:port"
        )
    return settings


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run in the foreground until asked to end; returns the exit code.

    Raises UsageError or HelpRequested.
    """
    words, variables = in_our_words(arguments, environ)
    settings = checked(
        parse(
            FLAGS,
            words,
            variables,
            program="mesosphere marathon",
            prefix="MARATHON",
            read=lambda path: Path(path).read_text(),
            summary="Keeps long-running apps running.",
        )
    )
    hostname = settings.hostname or socket.gethostname()
    machine = MarathonMachine(configure(settings, hostname), IdSource(os.urandom(32)))
    node = Node(
        name="marathon",
        machine=machine,
        api=api(machine),
        listen=(settings.http_address, settings.http_port),
        work_dir=None if settings.zk is not None else Path(settings.state_dir),
        coordination=open_coordination(
            settings.zk,
            Path(settings.state_dir),
            session_timeout_s=settings.zk_session_timeout / 1000,
        ),
        log_level=settings.logging_level,
    )
    return serve(node)
