"""Which offer a job fits, and the task that is made of both.

Decides: constraints (EQUALS, LIKE, UNLIKE on attributes and hostname), resources (those reserved
for our role first, then unreserved ones), the command, environment and container of the task.
Invariants: an offer is never used beyond what it holds, in thousandths; a job that fits nowhere
says why.
Source: Chronos, MesosOfferConstraints, MesosTaskBuilder.
"""

import re
from typing import Any

import msgspec

from mesosphere.chronos.core.runs import Run
from mesosphere.wire import mesos
from mesosphere.wire.chronos import Job

COMPLETION_LIMIT_S = 9_000_000_000
"""Longest maxCompletionTime; Mesos counts its nanoseconds in 63 bits."""


class Pool:
    """What is left of one offer while a round hands it out."""

    def __init__(self, offer: mesos.Offer, role: str) -> None:
        self.offer = offer
        self.tasks: list[mesos.TaskInfo] = []
        self._left = [
            (resource, round(resource.scalar.value * 1000))
            for resource in sorted(
                offer.resources, key=lambda resource: _role_of(resource) in ("*", "")
            )
            if resource.scalar is not None and _role_of(resource) in ("*", "", role)
        ]

    def missing(self, job: Job) -> str | None:
        """Why the job does not fit (None: it fits)."""
        for attribute, operator, value in job.constraints:
            if not is_satisfied(self.offer, attribute, operator, value):
                return f"constraint {attribute} {operator} {value}"
        for name, needed in (("cpus", job.cpus), ("mem", job.mem), ("disk", job.disk)):
            left = sum(milli for resource, milli in self._left if resource.name == name)
            if left < round(needed * 1000):
                return name
        return None

    def take(self, job: Job) -> list[mesos.Resource]:
        """Take a job's resources out of the pool; call only when nothing is missing."""
        taken: list[mesos.Resource] = []
        for name, needed in (("cpus", job.cpus), ("mem", job.mem), ("disk", job.disk)):
            wanted = round(needed * 1000)
            for index, (resource, milli) in enumerate(self._left):
                if resource.name != name or wanted <= 0 or milli <= 0:
                    continue
                part = min(milli, wanted)
                wanted -= part
                self._left[index] = (resource, milli - part)
                scalar = mesos.Scalar(value=part / 1000)
                taken.append(msgspec.structs.replace(resource, scalar=scalar))
        return taken


def _role_of(resource: mesos.Resource) -> str:
    if resource.reservations:
        return resource.reservations[-1].role or "*"
    return resource.role or "*"


def is_satisfied(offer: mesos.Offer, attribute: str, operator: str, value: str) -> bool:
    """A constraint on one attribute. UNLIKE is false on an agent that lacks the attribute."""
    texts = _texts(offer, attribute)
    if operator == "EQUALS":
        return value in texts
    try:
        pattern = re.compile(value)
    except (re.error, OverflowError, RecursionError):
        return False
    matched = any(pattern.fullmatch(text) for text in texts)
    return matched if operator == "LIKE" else bool(texts) and not matched


def _texts(offer: mesos.Offer, name: str) -> list[str]:
    texts: list[str] = []
    for attribute in offer.attributes:
        if attribute.name != name:
            continue
        if attribute.text is not None:
            texts.append(attribute.text.value)
        elif attribute.scalar is not None:
            texts.append(str(attribute.scalar.value))
        elif attribute.set is not None:
            texts += attribute.set.item
    if not texts and name == "hostname":
        texts.append(offer.hostname)
    return texts


def build_task(
    job: Job, run: Run, identifier: str, offer: mesos.Offer, resources: list[mesos.Resource]
) -> mesos.TaskInfo:
    """The TaskInfo of a run on an offer."""
    custom = bool(job.executor)
    container = _container(job)
    command = None if custom else _command(job, run, identifier, offer)
    executor = None
    data = None
    if custom:
        executor = mesos.ExecutorInfo(
            executor_id=mesos.ExecutorID(value=job.name),
            command=mesos.CommandInfo(value=job.executor, uris=_uris(job)),
            container=container,
        )
        data = (job.task_info_data or f"{job.executor_flags}|{job.command}").encode()
    limit = (
        mesos.DurationInfo(
            nanoseconds=min(job.max_completion_time, COMPLETION_LIMIT_S) * 1_000_000_000
        )
        if job.max_completion_time > 0
        else None
    )
    return mesos.TaskInfo(
        name=f"ChronosTask:{job.name}",
        task_id=mesos.TaskID(value=identifier),
        agent_id=offer.agent_id,
        resources=resources,
        command=command,
        executor=executor,
        container=None if custom else container,
        data=data,
        max_completion_time=limit,
    )


def _command(job: Job, run: Run, identifier: str, offer: mesos.Offer) -> mesos.CommandInfo:
    environment = _environment(job, run, identifier, offer)
    user = job.run_as_user or None
    if re.match(r"^(https?|ftps?)://", job.command):
        # A command that is a URL is fetched and executed.
        basename = job.command.rstrip("/").rsplit("/", 1)[-1].split("?")[0]
        return mesos.CommandInfo(
            value=f'"./{basename}"',
            uris=[mesos.URI(value=job.command, executable=True)],
            environment=environment,
            user=user,
        )
    if job.shell:
        value = f"{job.command} {run.arguments}" if run.arguments else job.command
        return mesos.CommandInfo(
            value=value, shell=True, uris=_uris(job), environment=environment, user=user
        )
    # Without a shell the words are the argument vector; the original broke the path by appending
    # the arguments to it.
    words = list(job.arguments)
    if run.arguments and run.arguments != " ".join(job.arguments):
        words = run.arguments.split()
    return mesos.CommandInfo(
        value=job.command or None,
        shell=False,
        arguments=[job.command, *words] if job.command else words,
        uris=_uris(job),
        environment=environment,
        user=user,
    )


def _uris(job: Job) -> list[mesos.URI]:
    fetched = [
        mesos.URI(
            value=fetch.uri,
            executable=fetch.executable,
            cache=fetch.cache,
            extract=fetch.extract,
            output_file=fetch.output_file or None,
        )
        for fetch in job.fetch
    ]
    return fetched + [mesos.URI(value=uri) for uri in job.uris]


def _environment(job: Job, run: Run, identifier: str, offer: mesos.Offer) -> mesos.Environment:
    values = dict(job.environment_variables)
    values |= {
        "mesos_task_id": identifier,
        "MESOS_TASK_ID": identifier,
        "CHRONOS_JOB_OWNER": job.owner,
        "CHRONOS_JOB_NAME": job.name,
        "HOST": offer.hostname,
        "CHRONOS_RESOURCE_MEM": str(job.mem),
        "CHRONOS_RESOURCE_CPU": str(job.cpus),
        "CHRONOS_RESOURCE_DISK": str(job.disk),
        "CHRONOS_JOB_RUN_TIME": str(run.due_ms),
        "CHRONOS_JOB_RUN_ATTEMPT": str(run.attempt),
    }
    return mesos.Environment(
        variables=[mesos.Variable(name=name, value=value) for name, value in values.items()]
    )


def _container(job: Job) -> mesos.ContainerInfo | None:
    if job.container is None:
        return None
    raw = job.container
    volumes = [
        mesos.Volume(
            container_path=volume["containerPath"],
            host_path=volume.get("hostPath"),
            mode=volume.get("mode", "RW"),
        )
        for volume in raw["volumes"]
    ]
    networks = [
        mesos.NetworkInfo(name=info["name"] or None, labels=_labels(info["labels"]))
        for info in raw["networkInfos"]
    ]
    if raw["type"] == "MESOS":
        image = mesos.Image(
            type="DOCKER",
            docker=mesos.DockerImage(name=raw["image"]),
            cached=not raw["forcePullImage"],
        )
        return mesos.ContainerInfo(
            type="MESOS",
            volumes=volumes,
            network_infos=networks,
            mesos=mesos.MesosInfo(image=image),
        )
    docker = mesos.DockerInfo(
        image=raw["image"],
        network=raw["network"],
        port_mappings=[
            mesos.PortMapping(
                host_port=int(mapping["hostPort"]),
                container_port=int(mapping["containerPort"]),
                protocol=mapping["protocol"],
            )
            for info in raw["networkInfos"]
            for mapping in info["portMappings"]
        ],
        parameters=[
            mesos.Parameter(key=item["key"], value=item["value"]) for item in raw["parameters"]
        ],
        force_pull_image=raw["forcePullImage"],
    )
    return mesos.ContainerInfo(
        type="DOCKER", volumes=volumes, network_infos=networks, docker=docker
    )


def _labels(pairs: list[dict[str, Any]]) -> mesos.Labels | None:
    if not pairs:
        return None
    return mesos.Labels(
        labels=[mesos.Label(key=pair["key"], value=pair["value"]) for pair in pairs]
    )
