"""`DockerInfo.parameters`: flags of `docker run`, as far as they mean something here.

What has no meaning here is refused by name, so that nobody believes in a limit that does not hold;
what only labels or tells the other program how to log is let pass. Source: `docker run` reference.
"""

from collections.abc import Callable, Iterable

import msgspec

from mesosphere.agent.core.refusals import Unsupported
from mesosphere.wire.mesos.common import Parameter

UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
MIB = 1 << 20
WITHOUT_MEANING = ("label", "label-file", "log-driver", "log-opt", "name", "rm", "init", "detach")
TRUE = ("", "true", "1")


class Parameters(msgspec.Struct):
    """What was asked. `volumes` are (host, container, read only), `tmpfs` (place, MiB)."""

    hostname: str = ""
    environment: dict[str, str] = {}
    volumes: list[tuple[str, str, bool]] = []
    tmpfs: list[tuple[str, int | None]] = []
    ulimits: list[tuple[str, int | None, int | None]] = []
    shm_mib: int | None = None
    seccomp: str | None = None
    read_only: bool = False


def read_parameters(parameters: Iterable[Parameter]) -> Parameters:
    """Flags in order. Raises Unsupported."""
    found = Parameters()
    for parameter in parameters:
        key = parameter.key.lstrip("-")
        if key in WITHOUT_MEANING:
            continue
        reader = READERS.get(key)
        if reader is None:
            raise Unsupported(f"the docker parameter '{key}' has no meaning for this agent")
        try:
            reader(found, parameter.value)
        except (ValueError, KeyError):
            raise Unsupported(
                f"the docker parameter '{key}' can't be '{parameter.value}'"
            ) from None
    return found


def _bytes(text: str) -> int:
    digits = text.rstrip("bBkKmMgG")
    return int(digits) * UNITS[text[len(digits) :].lower().removesuffix("b")[:1]]


def _mebibytes(text: str) -> int:
    return max(1, _bytes(text) // MIB)


def _hostname(found: Parameters, value: str) -> None:
    found.hostname = value


def _environment(found: Parameters, value: str) -> None:
    name, equals, text = value.partition("=")
    if not name or not equals:
        raise ValueError(value)
    found.environment[name] = text


def _volume(found: Parameters, value: str) -> None:
    parts = value.split(":")
    options = parts[2].split(",") if len(parts) == 3 else []
    if len(parts) not in (2, 3) or not parts[0].startswith("/") or not parts[1].startswith("/"):
        raise ValueError(value)
    found.volumes.append((parts[0], parts[1], "ro" in options))


def _tmpfs(found: Parameters, value: str) -> None:
    place, _, options = value.partition(":")
    size = None
    for option in options.split(","):
        if option.startswith("size="):
            size = _mebibytes(option.removeprefix("size="))
    if not place.startswith("/"):
        raise ValueError(value)
    found.tmpfs.append((place, size))


def _ulimit(found: Parameters, value: str) -> None:
    name, _, numbers = value.partition("=")
    soft, _, hard = numbers.partition(":")
    lower, upper = int(soft), int(hard or soft)
    found.ulimits.append((name.upper(), None if lower < 0 else lower, None if upper < 0 else upper))


def _shared_memory(found: Parameters, value: str) -> None:
    found.shm_mib = _mebibytes(value)


def _security(found: Parameters, value: str) -> None:
    if value not in ("seccomp=unconfined", "seccomp:unconfined"):
        raise ValueError(value)
    found.seccomp = ""


def _read_only(found: Parameters, value: str) -> None:
    found.read_only = value.lower() in TRUE


READERS: dict[str, Callable[[Parameters, str], None]] = {
    "hostname": _hostname,
    "h": _hostname,
    "env": _environment,
    "e": _environment,
    "volume": _volume,
    "v": _volume,
    "tmpfs": _tmpfs,
    "ulimit": _ulimit,
    "shm-size": _shared_memory,
    "security-opt": _security,
    "read-only": _read_only,
}
