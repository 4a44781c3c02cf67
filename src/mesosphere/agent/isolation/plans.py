"""Executes container plans: what is asked of the supervisor, and the files of an OCI bundle.

A plan is the plain value of `agent/core/containers.py`; here the user's name becomes numbers, the
bundle is written, and the request to the supervisor is composed. Standard library only.
"""

import json
import shutil
from pathlib import Path
from typing import Any

SET_USER = "/usr/bin/setpriv"
SET_LIMITS = "/usr/bin/prlimit"
RLIMIT_OPTIONS = {
    "AS": "as", "CORE": "core", "CPU": "cpu", "DATA": "data", "FSIZE": "fsize",
    "MEMLOCK": "memlock", "MSGQUEUE": "msgqueue", "NICE": "nice", "NOFILE": "nofile",
    "NPROC": "nproc", "RSS": "rss", "RTPRIO": "rtprio", "SIGPENDING": "sigpending",
    "STACK": "stack",
}  # fmt: skip


def spawn_request(plan: dict[str, Any], user: dict[str, Any] | None) -> dict[str, Any]:
    """The supervisor's `spawn` of a plan. Writes the bundle first where one is needed."""
    request = {
        "op": "spawn",
        "container": plan["container"],
        "directory": plan["directory"],
        "stdout": plan["sandbox"] + "/stdout",
        "stderr": plan["sandbox"] + "/stderr",
    }
    if plan["isolation"] != "oci":
        return {
            **request,
            "argv": [*wrapping(plan, user), *plan["argv"]],
            "environment": plan["environment"],
        }
    write_bundle(plan, user)
    return {
        **request,
        "argv": plan["run"],
        "environment": {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        "pid_file": plan["pid_file"],
        "cleanup": plan["cleanup"],
        "processes": plan["processes"],
        "memory": plan["memory"],
        "log": plan["bundle"] + "/log",
    }


def wrapping(plan: dict[str, Any], user: dict[str, Any] | None) -> list[str]:
    """The commands that a posix task is started through: limits first, then the user."""
    words: list[str] = []
    limits = [
        f"--{RLIMIT_OPTIONS[limit['name']]}={_limit(limit['soft'])}:{_limit(limit['hard'])}"
        for limit in plan["rlimits"]
        if limit["name"] in RLIMIT_OPTIONS
    ]
    if limits:
        words += [SET_LIMITS, *limits, "--"]
    if user is not None and user["uid"] != 0:
        groups = ",".join(str(group) for group in user["groups"])
        chosen = f"--groups={groups}" if groups else "--clear-groups"
        words += [SET_USER, f"--reuid={user['uid']}", f"--regid={user['gid']}", chosen, "--"]
    return words


def _limit(value: int | None) -> str:
    return "unlimited" if value is None else str(value)


def write_bundle(plan: dict[str, Any], user: dict[str, Any] | None) -> None:
    """Write `config.json` with the user's numbers."""
    config = plan["config"]
    if user is not None:
        process = config["process"]
        process = {
            **process,
            "user": {"uid": user["uid"], "gid": user["gid"], "additionalGids": user["groups"]},
        }
        if user["uid"] != 0:
            process["capabilities"] = {
                "bounding": process["capabilities"]["bounding"],
                "effective": [],
                "permitted": [],
            }
        config = {**config, "process": process}
    bundle = Path(plan["bundle"])
    bundle.mkdir(parents=True, exist_ok=True, mode=0o700)
    (bundle / "config.json").write_text(json.dumps(config))


def remove_bundle(runtime_dir: Path, container: str) -> None:
    """Drop the bundle of a container that is gone."""
    shutil.rmtree(runtime_dir / "bundles" / container, ignore_errors=True)
