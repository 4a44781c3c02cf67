"""GPUs: which device nodes this host has, and what a container with some of them is given.

Whole devices only; each belongs to one container. A container sees the nodes of its own devices and
the control nodes; the control group denies it all others. Standard library only.
Source: "Mesos: Nvidia GPU support" (apache/mesos docs/gpu-support.md, isolators/gpu/nvidia).
"""

import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

CONTROL = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset")
MODE = 0o666
_DEVICE = re.compile(r"^nvidia([0-9]{1,4})$")


def find_devices(directory: str = "/dev") -> list[int]:
    """The numbers of the devices, in order."""
    try:
        names = os.listdir(directory)
    except OSError:
        return []
    return sorted(int(found.group(1)) for name in names if (found := _DEVICE.match(name)))


def choose(available: Iterable[int], taken: Iterable[int], count: int) -> list[int]:
    """The first free devices; fewer than asked when there are not enough."""
    used = set(taken)
    return [number for number in available if number not in used][:count]


def with_devices(
    config: dict[str, Any], chosen: list[int], directory: str, has_image: bool
) -> dict[str, Any]:
    """An OCI configuration in which the container has these devices and no others."""
    allowed = [*(f"nvidia{number}" for number in chosen), *(CONTROL if chosen else ())]
    nodes = {name: _numbers(Path(directory, name)) for name in allowed}
    others = [f"nvidia{number}" for number in find_devices(directory) if number not in chosen]
    rules = [
        _rule(numbers, False) for name in others if (numbers := _numbers(Path(directory, name)))
    ]
    rules += [_rule(numbers, True) for numbers in nodes.values() if numbers is not None]
    linux = dict(config["linux"])
    resources = dict(linux["resources"])
    resources["devices"] = [*resources.get("devices", ()), *rules]
    linux["resources"] = resources
    if has_image:
        linux["devices"] = [
            {"path": f"/dev/{name}", "type": "c", "major": numbers[0], "minor": numbers[1],
             "fileMode": MODE}
            for name, numbers in nodes.items() if numbers is not None
        ]  # fmt: skip
    return {**config, "linux": linux}


def _numbers(path: Path) -> tuple[int, int] | None:
    try:
        facts = path.stat()
    except OSError:
        return None
    if not stat.S_ISCHR(facts.st_mode):
        return None
    return os.major(facts.st_rdev), os.minor(facts.st_rdev)


def _rule(numbers: tuple[int, int], allow: bool) -> dict[str, Any]:
    major, minor = numbers
    return {"allow": allow, "type": "c", "major": major, "minor": minor, "access": "rwm"}
