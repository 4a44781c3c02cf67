"""A seccomp profile in the form that operators have, as the OCI runtime takes it.

A rule applies when its conditions do: `includes` and `excludes` by capability and architecture.
Source: "Mesos: seccomp isolator" (apache/mesos src/linux/seccomp/seccomp_parser.cpp), which reads
the profiles of Docker.
"""

import json
import os
from pathlib import Path
from typing import Any

PROFILE_LIMIT_BYTES = 4 * 1024 * 1024
ARCHITECTURES = {
    "x86_64": ("amd64", "SCMP_ARCH_X86_64"),
    "aarch64": ("arm64", "SCMP_ARCH_AARCH64"),
    "ppc64le": ("ppc64le", "SCMP_ARCH_PPC64LE"),
    "s390x": ("s390x", "SCMP_ARCH_S390X"),
}


class ProfileError(ValueError):
    """The profile can't be used; the message is one sentence."""


def read_profile(path: str, capabilities: list[str], machine: str = "") -> dict[str, Any]:
    """`linux.seccomp` of an OCI configuration. Raises ProfileError."""
    file = Path(path)
    try:
        if file.stat().st_size > PROFILE_LIMIT_BYTES:
            raise ProfileError(f"the seccomp profile {path} is too long")
        profile = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        if isinstance(error, ProfileError):
            raise
        reason = getattr(error, "strerror", None) or error
        raise ProfileError(f"the seccomp profile {path} can't be read: {reason}") from error
    try:
        return _convert(profile, capabilities, machine or os.uname().machine)
    except (KeyError, TypeError, AttributeError) as error:
        raise ProfileError(f"the seccomp profile {path} is malformed: {error!r}") from error


def _convert(profile: dict[str, Any], capabilities: list[str], machine: str) -> dict[str, Any]:
    short, own = ARCHITECTURES.get(machine, (machine, ""))
    architectures = list(profile.get("architectures", ()))
    for each in profile.get("archMap") or ():
        if each["architecture"] == own:
            architectures += [own, *(each.get("subArchitectures") or ())]
    syscalls = []
    for rule in profile.get("syscalls") or ():
        if not _applies(rule, capabilities, short):
            continue
        kept = {key: rule[key] for key in ("action", "errnoRet") if rule.get(key) is not None}
        kept["names"] = rule.get("names") or [rule["name"]]
        if rule.get("args"):
            kept["args"] = rule["args"]
        syscalls.append(kept)
    found = {"defaultAction": profile["defaultAction"], "syscalls": syscalls}
    if architectures:
        found["architectures"] = architectures
    if profile.get("defaultErrnoRet") is not None:
        found["defaultErrnoRet"] = profile["defaultErrnoRet"]
    return found


def _applies(rule: dict[str, Any], capabilities: list[str], architecture: str) -> bool:
    includes, excludes = rule.get("includes") or {}, rule.get("excludes") or {}
    wanted = includes.get("caps") or []
    if any(name not in capabilities for name in wanted):
        return False
    if includes.get("arches") and architecture not in includes["arches"]:
        return False
    if any(name in capabilities for name in excludes.get("caps") or ()):
        return False
    return architecture not in (excludes.get("arches") or ())
