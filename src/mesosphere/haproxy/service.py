"""Runs the daemon: flags to configuration, machine to node, and HAProxy beside it."""

import asyncio
import base64
import os
import resource
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mesosphere.haproxy.api import api
from mesosphere.haproxy.core.machine import ProxyConfig, ProxyMachine
from mesosphere.haproxy.core.render import Front
from mesosphere.haproxy.driver import Driver
from mesosphere.haproxy.flags import FLAGS
from mesosphere.kernel.effects import ApplyProxyConfiguration, ReadProxyState
from mesosphere.kernel.flags import Settings, UsageError, parse
from mesosphere.kernel.ids import IdSource
from mesosphere.runtime.coordination import open_coordination
from mesosphere.runtime.node import Node, serve

WATCH_S = 0.3
"""How often HAProxy's process is looked at."""

DESCRIPTORS_PER_CONNECTION = 2
DESCRIPTORS_RESERVED = 500


def probe_binary(binary: str) -> tuple[bool, bool]:
    """(servers can be added at run time, metrics are built in) of a HAProxy. Raises UsageError."""
    try:
        found = subprocess.run([binary, "-vv"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise UsageError(f"--haproxy_binary: '{binary}' can't be run: {error}") from error
    words = found.stdout.split("version", 1)[-1].split()
    numbers = [int(part) for part in words[0].split("-")[0].split(".")[:2]] if words else [0, 0]
    return (numbers >= [2, 6], "+PROMEX" in found.stdout or "prometheus-exporter" in found.stdout)


def usable_connections(wanted: int) -> int:
    """`wanted`, or what the limit of open files allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        return wanted
    return max(min(wanted, (hard - DESCRIPTORS_RESERVED) // DESCRIPTORS_PER_CONNECTION), 100)


def address(text: str, flag: str) -> tuple[str, int]:
    """(host, port) of "host:port". Raises UsageError."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise UsageError(f"--{flag}: '{text}' is not host:port")
    return host, int(port)


def configure(settings: Settings) -> ProxyConfig:
    """The machine's configuration of a command line. Raises UsageError."""
    dynamic, metrics = probe_binary(settings.haproxy_binary)
    own = [address(settings.listen, "listen")[1], address(settings.stats_bind, "stats_bind")[1]]
    http = None if settings.http_bind == "-" else settings.http_bind
    if http is not None:
        own.append(address(http, "http_bind")[1])
    headers = {}
    if settings.auth_credentials:
        token = base64.b64encode(settings.auth_credentials.encode()).decode()
        headers["Authorization"] = f"Basic {token}"
    return ProxyConfig(
        endpoints=settings.marathon,
        groups=settings.group,
        front=Front(
            http=http,
            stats=settings.stats_bind,
            daemon=settings.listen,
            socket=f"{settings.run_dir}/admin.sock",
            maxconn=usable_connections(settings.maxconn),
            has_metrics=metrics,
            user=settings.haproxy_user,
        ),
        reserved_ports=tuple(own),
        only_alive=settings.health_check,
        strict=settings.strict_mode,
        has_dynamic_servers=dynamic,
        max_backoff_s=settings.max_backoff,
        headers=headers,
    )


async def _watch(node: Node, driver: Driver) -> None:
    while True:
        happened = await asyncio.to_thread(driver.keep_running)
        if happened is not None:
            node.log.write("warning", "haproxy_restarted", {"reason": happened})
            node.deliver(await asyncio.to_thread(driver.read_state))
        await asyncio.sleep(WATCH_S)


def _performers(driver: Driver) -> dict[Any, Any]:
    def apply(node: Node, effect: ApplyProxyConfiguration, cause: str) -> None:
        async def work() -> None:
            node.deliver(await asyncio.to_thread(driver.apply, effect), cause)

        node.spawn(work())

    def read(node: Node, effect: ReadProxyState, cause: str) -> None:
        async def work() -> None:
            node.deliver(await asyncio.to_thread(driver.read_state), cause)

        # The first effect of a machine's start, so the watcher begins with it.
        if not any(task.get_name() == "watch" for task in asyncio.all_tasks()):
            node.spawn(_watch(node, driver)).set_name("watch")
        node.spawn(work())

    return {ApplyProxyConfiguration: apply, ReadProxyState: read}


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run in the foreground until asked to end; returns the exit code.

    Raises UsageError or HelpRequested.
    """
    settings = parse(
        FLAGS,
        arguments,
        environ,
        program="mesosphere haproxy",
        prefix="HAPROXY_LB",
        read=lambda path: Path(path).read_text(),
        summary="Keeps HAProxy in step with the apps that Marathon runs.",
    )
    config = configure(settings)
    listen = address(settings.listen, "listen")
    driver = Driver(
        settings.haproxy_binary,
        Path(settings.haproxy_config),
        Path(settings.run_dir),
        settings.archive_versions,
    )
    machine = ProxyMachine(config, IdSource(os.urandom(32)))
    with tempfile.TemporaryDirectory(prefix="mesosphere-haproxy-") as nothing_durable:
        node = Node(
            name="haproxy",
            machine=machine,
            api=api(machine),
            listen=listen,
            work_dir=Path(settings.run_dir),
            coordination=open_coordination(None, Path(nothing_durable)),
            performers=_performers(driver),
            log_level=settings.logging_level,
        )
        return serve(node)
