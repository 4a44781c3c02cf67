"""Chronos's job document: lenient JSON in, complete one-line JSON out.

Scalars are read as Jackson reads them (numeric strings count, what can't be read is 0 or ""), so
documents that the original took are taken. A 0 for cpus, mem or disk means the default. Fields
come out in the original's order. Source: Chronos, JobDeserializer and JobSerializer.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from mesosphere.wire.errors import WireError

CONSTRAINT_OPERATORS = ("EQUALS", "LIKE", "UNLIKE")
LIST_LIMIT = 10_000
"""Members of any list of a document."""


class Fetch(msgspec.Struct, frozen=True):
    """A file for the sandbox."""

    uri: str
    executable: bool = False
    cache: bool = False
    extract: bool = True
    output_file: str = ""


class Job(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A job. `parents` None: a scheduled job; else a dependent one (`schedule` is then "")."""

    name: str
    command: str = ""
    shell: bool = True
    executor: str = ""
    executor_flags: str = ""
    task_info_data: str = ""
    retries: int = 2
    owner: str = ""
    owner_name: str = ""
    description: str = ""
    success_count: int = 0
    error_count: int = 0
    last_success: str = ""
    last_error: str = ""
    cpus: float = 0.0
    disk: float = 0.0
    mem: float = 0.0
    disabled: bool = False
    soft_error: bool = False
    data_processing_job_type: bool = False
    errors_since_last_success: int = 0
    fetch: tuple[Fetch, ...] = ()
    uris: tuple[str, ...] = ()
    environment_variables: tuple[tuple[str, str], ...] = ()
    arguments: tuple[str, ...] = ()
    high_priority: bool = False
    run_as_user: str = ""
    concurrent: bool = False
    max_completion_time: int = 0
    container: dict[str, Any] | None = None
    constraints: tuple[tuple[str, str, str], ...] = ()
    schedule: str = ""
    schedule_time_zone: str = ""
    parents: tuple[str, ...] | None = None

    @property
    def is_dependent(self) -> bool:
        """Whether it runs after its parents instead of on a schedule."""
        return self.parents is not None


class Defaults(msgspec.Struct, frozen=True):
    """What absent resources and the user become (flags of the daemon)."""

    cpus: float = 0.1
    mem_mb: float = 128.0
    disk_mb: float = 256.0
    user: str = "root"


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict | list):
        return ""
    return msgspec.json.encode(value).decode()


def _number(value: Any) -> float:
    if isinstance(value, bool):
        return float(value)
    try:
        number = float(value)
    except (TypeError, ValueError):
        return 0.0
    return number if number == number and abs(number) < 1e15 else 0.0


def _whole(value: Any) -> int:
    return int(_number(value))


def _truth(value: Any) -> bool:
    if isinstance(value, str):
        return value.strip() == "true"
    return bool(_number(value)) if isinstance(value, bool | int | float) else False


_SCALARS: Mapping[str, tuple[str, Any]] = {
    "command": ("command", _text),
    "shell": ("shell", _truth),
    "executor": ("executor", _text),
    "executorFlags": ("executor_flags", _text),
    "taskInfoData": ("task_info_data", _text),
    "retries": ("retries", _whole),
    "owner": ("owner", _text),
    "ownerName": ("owner_name", _text),
    "description": ("description", _text),
    "successCount": ("success_count", _whole),
    "errorCount": ("error_count", _whole),
    "lastSuccess": ("last_success", _text),
    "lastError": ("last_error", _text),
    "disabled": ("disabled", _truth),
    "softError": ("soft_error", _truth),
    "dataProcessingJobType": ("data_processing_job_type", _truth),
    "errorsSinceLastSuccess": ("errors_since_last_success", _whole),
    "highPriority": ("high_priority", _truth),
    "runAsUser": ("run_as_user", _text),
    "concurrent": ("concurrent", _truth),
    "maxCompletionTime": ("max_completion_time", _whole),
    "schedule": ("schedule", _text),
    "scheduleTimeZone": ("schedule_time_zone", _text),
}


def parse_job(document: Any, defaults: Defaults, now_text: str) -> Job:
    """Read a job document. `now_text` is the start of a schedule that nobody gave.

    Raises WireError with the path of the fault.
    """
    if not isinstance(document, dict):
        raise WireError("", "the job must be a JSON object")
    if "name" not in document:
        raise WireError("name", "is required")
    values: dict[str, Any] = {"name": _text(document["name"])}
    for key, (field, read) in _SCALARS.items():
        if key in document:
            values[field] = read(document[key])
    values["cpus"] = _number(document.get("cpus")) or defaults.cpus
    values["mem"] = _number(document.get("mem")) or defaults.mem_mb
    values["disk"] = _number(document.get("disk")) or defaults.disk_mb
    values.setdefault("run_as_user", defaults.user)
    values["uris"] = tuple(_text(uri) for uri in _list(document, "uris"))
    values["arguments"] = tuple(_text(word) for word in _list(document, "arguments"))
    values["fetch"] = tuple(
        _fetch(entry, f"fetch[{number}]") for number, entry in enumerate(_list(document, "fetch"))
    )
    values["environment_variables"] = tuple(
        _pair(entry, f"environmentVariables[{number}]", "name", "value")
        for number, entry in enumerate(_list(document, "environmentVariables"))
    )
    values["constraints"] = _constraints(_list(document, "constraints"))
    if "container" in document and document["container"] is not None:
        values["container"] = _container(document["container"])
    if "parents" in document:
        parents = [_text(parent) for parent in _list(document, "parents")]
        values["parents"] = tuple(dict.fromkeys(parents))
        values["schedule"] = values["schedule_time_zone"] = ""
    elif "schedule" not in values:
        values["schedule"] = f"R1/{now_text}/PT24H"
    return Job(**values)


def _list(document: Mapping[str, Any], key: str) -> list[Any]:
    value = document.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise WireError(key, "must be an array")
    if len(value) > LIST_LIMIT:
        raise WireError(key, f"has more than {LIST_LIMIT} members")
    return value


def _fetch(entry: Any, path: str) -> Fetch:
    if not isinstance(entry, dict) or "uri" not in entry:
        raise WireError(path, "must be an object with a uri")
    return Fetch(
        uri=_text(entry["uri"]),
        executable=_truth(entry.get("executable", False)),
        cache=_truth(entry.get("cache", False)),
        extract=_truth(entry.get("extract", True)),
        output_file=_text(entry.get("output_file", "")),
    )


def _pair(entry: Any, path: str, first: str, second: str) -> tuple[str, str]:
    if not isinstance(entry, dict) or first not in entry:
        raise WireError(path, f"must be an object with {first} and {second}")
    return _text(entry[first]), _text(entry.get(second, ""))


def _constraints(entries: list[Any]) -> tuple[tuple[str, str, str], ...]:
    constraints = []
    for number, entry in enumerate(entries):
        if not isinstance(entry, list) or len(entry) != 3:
            raise WireError(f"constraints[{number}]", "must be [attribute, operator, value]")
        attribute, operator, value = (_text(part) for part in entry)
        # The original drops operators that it does not know, without a word.
        if operator in CONSTRAINT_OPERATORS:
            constraints.append((attribute, operator, value))
    return tuple(constraints)


def _choice(value: Any, path: str, known: tuple[str, ...]) -> str:
    text = _text(value)
    if text not in known:
        raise WireError(path, f"'{text}' is none of {', '.join(known)}")
    return text


def _container(entry: Any) -> dict[str, Any] | None:
    if not isinstance(entry, dict):
        raise WireError("container", "must be an object")
    if "image" not in entry:
        return None  # the original ignores a container without an image
    kind = _choice(
        _text(entry.get("type", "DOCKER")).upper(), "container.type", ("DOCKER", "MESOS")
    )
    container: dict[str, Any] = {
        "type": kind,
        "image": _text(entry["image"]),
        "network": _choice(
            entry.get("network", "HOST"), "container.network", ("HOST", "BRIDGE", "USER")
        ),
    }
    if entry.get("networkName"):
        container["networkName"] = _text(entry["networkName"])
    container["networkInfos"] = [
        _network_info(info, f"container.networkInfos[{number}]")
        for number, info in enumerate(_list(entry, "networkInfos"))
    ]
    container["volumes"] = [
        _volume(volume, f"container.volumes[{number}]")
        for number, volume in enumerate(_list(entry, "volumes"))
    ]
    container["forcePullImage"] = _truth(entry.get("forcePullImage", False))
    container["parameters"] = [
        dict(
            zip(
                ("key", "value"),
                _pair(item, f"container.parameters[{number}]", "key", "value"),
                strict=True,
            )
        )
        for number, item in enumerate(_list(entry, "parameters"))
    ]
    return container


def _network_info(entry: Any, path: str) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise WireError(path, "must be an object")
    info: dict[str, Any] = {"name": _text(entry.get("name", ""))}
    if "protocol" in entry:
        info["protocol"] = _choice(entry["protocol"], f"{path}.protocol", ("IPv4", "IPv6"))
    info["labels"] = [
        dict(
            zip(
                ("key", "value"),
                _pair(label, f"{path}.labels[{number}]", "key", "value"),
                strict=True,
            )
        )
        for number, label in enumerate(_list(entry, "labels"))
    ]
    # Ports are numbers on the way in and strings on the way out.
    info["portMappings"] = [
        {
            "hostPort": str(_whole(mapping.get("hostPort"))),
            "containerPort": str(_whole(mapping.get("containerPort"))),
            "protocol": _text(mapping.get("protocol", "tcp")),
        }
        for mapping in _list(entry, "portMappings")
        if isinstance(mapping, dict)
    ]
    return info


def _volume(entry: Any, path: str) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise WireError(path, "must be an object")
    volume: dict[str, Any] = {}
    if "hostPath" in entry:
        volume["hostPath"] = _text(entry["hostPath"])
    volume["containerPath"] = _text(entry.get("containerPath", ""))
    if "mode" in entry:
        volume["mode"] = _choice(_text(entry["mode"]).upper(), f"{path}.mode", ("RW", "RO"))
    if isinstance(entry.get("external"), dict):
        external = entry["external"]
        volume["external"] = {
            "name": _text(external.get("name", "")),
            "provider": _text(external.get("provider", "")),
            "options": [
                dict(
                    zip(
                        ("key", "value"),
                        _pair(option, f"{path}.external", "key", "value"),
                        strict=True,
                    )
                )
                for option in _list(external, "options")
            ],
        }
    return volume


def job_document(job: Job) -> dict[str, Any]:
    """The job as clients see it, every field in the original's order."""
    document: dict[str, Any] = {
        "name": job.name,
        "command": job.command,
        "shell": job.shell,
        "executor": job.executor,
        "executorFlags": job.executor_flags,
        "taskInfoData": job.task_info_data,
        "retries": job.retries,
        "owner": job.owner,
        "ownerName": job.owner_name,
        "description": job.description,
        "successCount": job.success_count,
        "errorCount": job.error_count,
        "lastSuccess": job.last_success,
        "lastError": job.last_error,
        "cpus": job.cpus,
        "disk": job.disk,
        "mem": job.mem,
        "disabled": job.disabled,
        "softError": job.soft_error,
        "dataProcessingJobType": job.data_processing_job_type,
        "errorsSinceLastSuccess": job.errors_since_last_success,
        "fetch": [_fetch_document(fetch) for fetch in job.fetch],
        "uris": list(job.uris),
        "environmentVariables": [
            {"name": name, "value": value} for name, value in job.environment_variables
        ],
        "arguments": list(job.arguments),
        "highPriority": job.high_priority,
        "runAsUser": job.run_as_user,
        "concurrent": job.concurrent,
        "maxCompletionTime": job.max_completion_time,
    }
    if job.container is not None:
        document["container"] = job.container
    document["constraints"] = [list(constraint) for constraint in job.constraints]
    if job.parents is not None:
        document["parents"] = list(job.parents)
    else:
        document["schedule"] = job.schedule
        document["scheduleTimeZone"] = job.schedule_time_zone
    return document


def _fetch_document(fetch: Fetch) -> dict[str, Any]:
    document: dict[str, Any] = {
        "uri": fetch.uri,
        "executable": fetch.executable,
        "cache": fetch.cache,
        "extract": fetch.extract,
    }
    if fetch.output_file:
        document["output_file"] = fetch.output_file
    return document
