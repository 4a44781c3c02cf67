"""Runs the agent: flags to configuration, a trial of the isolation, machine to node."""

import asyncio
import os
import sys
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from mesosphere.agent import fetch_cache
from mesosphere.agent.api import api
from mesosphere.agent.attachments import Attachments
from mesosphere.agent.containerizer import Containerizer, WorkFailed
from mesosphere.agent.core.commands import ContainersMeasured
from mesosphere.agent.core.files import sandbox_of
from mesosphere.agent.core.host import Host
from mesosphere.agent.core.machine import AgentMachine
from mesosphere.agent.disk_reserve import DiskReserve
from mesosphere.agent.disk_watch import DiskWatch
from mesosphere.agent.flags import FLAGS
from mesosphere.agent.isolation import probe, sandboxes, statistics, volumes
from mesosphere.agent.meta_tree import read_meta
from mesosphere.agent.negotiation import RECORDIO
from mesosphere.agent.setup import (
    configure,
    describe_host,
    described,
    explain,
    image_collection,
    wanted_isolation,
)
from mesosphere.agent.trial import try_oci
from mesosphere.kernel.effects import (
    ChangeVolumes,
    Effect,
    PruneImages,
    RecoverContainers,
    Reply,
    ServeFile,
)
from mesosphere.kernel.events import VolumesChanged
from mesosphere.kernel.exit_codes import ExitCode
from mesosphere.kernel.flags import Settings, UsageError, parse
from mesosphere.kernel.http import text_response
from mesosphere.kernel.ids import IdSource
from mesosphere.runtime.addresses import advertised_address, host_name
from mesosphere.runtime.coordination import open_coordination
from mesosphere.runtime.http_bodies import BodyBroken
from mesosphere.runtime.node import PERFORMERS, Node, Performer, serve
from mesosphere.wire.errors import WireError

MEASURE_INTERVAL_S = 10.0
SUMMARY = "Runs tasks in containers on this host, for the master that leads."


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run an agent to its end; returns the exit code.

    Raises UsageError or HelpRequested.
    """
    if list(arguments[:1]) == ["explain-container"]:
        return explain_container(arguments[1:], environ)
    settings = parse(
        FLAGS, arguments, environ, program="mesosphere agent", prefix="MESOS",
        read=lambda path: Path(path).read_text(), summary=SUMMARY,
    )  # fmt: skip
    return _run(settings)


def explain_container(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Print the plan of the TaskInfo (JSON) on standard input; nothing is done.

    Raises UsageError or HelpRequested.
    """
    settings = parse(
        FLAGS, ["--master=none", "--work_dir=/var/lib/mesos", *arguments], environ,
        program="mesosphere agent explain-container", prefix="MESOS",
        read=lambda path: Path(path).read_text(), summary="Prints the plan of a container.",
    )  # fmt: skip
    try:
        sys.stdout.write(explain(settings, sys.stdin.buffer.read()))
    except WireError as error:
        raise UsageError(f"explain-container: {error}") from error
    return int(ExitCode.CLEAN)


def _run(settings: Settings) -> int:
    work_dir = Path(settings.work_dir).absolute()
    runtime_dir = Path(settings.runtime_dir or work_dir / "run").resolve()
    try:
        work_dir.mkdir(parents=True, exist_ok=True)
        runtime_dir.mkdir(parents=True, exist_ok=True)
        host = _choose_isolation(settings, describe_host(settings, work_dir, runtime_dir))
        tree = read_meta(work_dir)
        old_sandboxes = tuple(sandboxes.list_sandboxes(work_dir))
    except OSError as error:
        sys.stderr.write(f"mesosphere agent: the work directory {work_dir}: {error}\n")
        return int(ExitCode.WORK_DIR_FAILED)
    ip = advertised_address(settings.advertise_ip, settings.ip or "0.0.0.0")
    config = configure(settings, host, ip, settings.hostname or host_name(ip))
    machine = AgentMachine(
        config, IdSource(os.urandom(32)), tree.files, old_sandboxes, tree.unreadable
    )
    service = AgentService(host, settings)
    node = Node(
        name="agent",
        machine=machine,
        api=api(machine),
        listen=(settings.ip or "0.0.0.0", settings.port),
        work_dir=work_dir,
        coordination=open_coordination(None, work_dir / "state", settings.zk_session_timeout),
        performers=service.performers(),
        log_level=settings.logging_level,
        on_stop=service.containerizer.close,
        make_room=service.reserve.release,
        streamed_bodies=frozenset({RECORDIO}),
    )
    node.log.write("info", "host_described", described(host, config))
    return serve(node)


def _choose_isolation(settings: Settings, host: Host) -> Host:
    """Try the OCI runtime once for real; fall back to posix with the reason."""
    if host.isolation != "oci":
        return host
    failure = asyncio.run(try_oci(host))
    if not failure:
        return host
    if wanted_isolation(settings.isolation) == "oci":
        raise UsageError(f"--isolation={settings.isolation} can't work here: {failure}")
    reason = f"a trial container of {host.runtime} failed: {failure}"
    return msgspec.structs.replace(host, isolation="posix", reason=reason)


def _change_volumes(node: Node, effect: ChangeVolumes, cause: str) -> None:
    # What is made is there before the next effect, which may launch a task on it.
    failed = volumes.make_volumes(effect.make)
    doomed, kept = volumes.put_aside(effect.remove)

    async def finish() -> None:
        await asyncio.to_thread(volumes.delete, doomed)
        node.deliver(VolumesChanged(effect.token, {**failed, **kept}), cause)

    node.spawn(finish())


class AgentService:
    """What only the agent's process can perform."""

    def __init__(self, host: Host, settings: Settings) -> None:
        self._host = host
        self._image_gc = image_collection(settings)
        self._groups = probe.find_control_groups()
        private_root = Path(host.private_root) if host.isolation == "oci" else None
        fetch_cache.clear(Path(host.fetch_cache_dir))
        self.containerizer = Containerizer(Path(host.runtime_dir), private_root)
        self._attachments = Attachments(Path(host.runtime_dir), BodyBroken)
        self.reserve = DiskReserve(Path(host.work_dir), settings.disk_reserve)
        self._reserve_was_held = self.reserve.hold()
        self.disks = DiskWatch(
            self.containerizer,
            settings.container_disk_watch_interval,
            settings.enforce_container_disk_quota,
        )

    def performers(self) -> dict[type[Effect], Performer]:
        """Containers by the containerizer, files with a look at where links lead."""
        performers: dict[type[Effect], Performer] = {**self.containerizer.performers()}
        recover = self.containerizer.performers()[RecoverContainers]

        def recover_and_watch(node: Node, effect: RecoverContainers, cause: str) -> None:
            recover(node, effect, cause)
            node.spawn(self._measure(node))
            node.spawn(self.disks.run())
            node.spawn(self._collect_images(node))

        performers[RecoverContainers] = recover_and_watch
        performers |= self._attachments.performers()
        performers[ServeFile] = self._serve_file
        performers[PruneImages] = self._prune
        performers[ChangeVolumes] = _change_volumes
        return performers

    def _prune(self, node: Node, effect: PruneImages, cause: str) -> None:
        work = self.containerizer.prune_images(self._host.image_store, effect.excluded)
        node.spawn(self._told(node, work))

    async def _told(self, node: Node, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except WorkFailed as failed:
            node.log.write("error", "images_not_pruned", {"reason": str(failed)})

    async def _collect_images(self, node: Node) -> None:
        """As `--image_gc_config` says: when the store's disk is fuller than its headroom allows."""
        plan = self._image_gc
        while plan is not None:
            await asyncio.sleep(plan.interval_s)
            used = await asyncio.to_thread(statistics.disk_used, self._host.image_store)
            if used > 1 - plan.headroom:
                self._prune(node, PruneImages(plan.excluded), "image_gc")

    def _serve_file(self, node: Node, effect: ServeFile, cause: str) -> None:
        sandbox = sandbox_of(effect.path)
        if sandbox is not None:
            real = Path(effect.path).resolve()
            if not real.is_relative_to(Path(sandbox).resolve()):
                answer = text_response(404, f"'{effect.shown}' was not found.\n")
                node.perform([Reply(effect.request, answer)], cause)
                return
        PERFORMERS[ServeFile](node, effect, cause)

    def _hold_reserve(self, node: Node) -> None:
        was_held = self._reserve_was_held
        self._reserve_was_held = self.reserve.hold()
        if was_held and not self._reserve_was_held:
            node.log.write("error", "disk_full", {"work_dir": self._host.work_dir})

    def _metrics(self) -> dict[str, float]:
        fetcher = "containerizer/fetcher"
        told = {
            f"{fetcher}/task_fetches_{end}": float(count)
            for end, count in self.containerizer.fetches.items()
        }
        cache = Path(self._host.fetch_cache_dir)
        told[f"{fetcher}/cache_size_total_bytes"] = float(self._host.fetch_cache_bytes)
        told[f"{fetcher}/cache_size_used_bytes"] = float(fetch_cache.used_bytes(cache))
        return told

    async def _measure(self, node: Node) -> None:
        root = self._host.cgroups_root if self._host.isolation == "oci" else ""
        while True:
            leaders = dict(self.containerizer.leaders)
            values = await asyncio.to_thread(statistics.measure, self._groups, root, leaders)
            await asyncio.to_thread(self._hold_reserve, node)
            for name, told in values.items():
                told.update(self.disks.statistics(name))
            used = await asyncio.to_thread(statistics.disk_used, self._host.work_dir)
            node.deliver(ContainersMeasured(values, used, self._metrics()))
            await asyncio.sleep(MEASURE_INTERVAL_S)
