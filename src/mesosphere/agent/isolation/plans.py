"""Executes container plans: what is asked of the supervisor, and the files of an OCI bundle.

A plan is the plain value of `agent/core/containers.py`; here the user's name becomes numbers, the
bundle is written, and the request to the supervisor is composed. Standard library only.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any

from mesosphere.agent.isolation.gpus import with_devices
from mesosphere.agent.isolation.processes import program
from mesosphere.agent.isolation.seccomp import read_profile
from mesosphere.agent.isolation.spawning import CONSOLE, QUIET_ENVIRONMENT

SET_USER = "/usr/bin/setpriv"
SET_LIMITS = "/usr/bin/prlimit"
STAGED = ("container", "image", "networks", "run", "cleanup")
"""What of a plan is needed to lay things out around its container, and to take them away."""
RLIMIT_OPTIONS = {
    "AS": "as", "CORE": "core", "CPU": "cpu", "DATA": "data", "FSIZE": "fsize",
    "MEMLOCK": "memlock", "MSGQUEUE": "msgqueue", "NICE": "nice", "NOFILE": "nofile",
    "NPROC": "nproc", "RSS": "rss", "RTPRIO": "rtprio", "SIGPENDING": "sigpending",
    "STACK": "stack",
}  # fmt: skip


class PlanError(Exception):
    """The plan can't be carried out on this host; the message is one sentence."""


def spawn_request(
    plan: dict[str, Any], user: dict[str, Any] | None, image: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The supervisor's `spawn` of a plan. Writes the bundle first where one is needed."""
    sandbox = plan["sandbox"]
    request = {
        "op": "spawn",
        "container": plan["container"],
        "directory": plan["directory"],
        "stdout": f"{sandbox}/stdout" if sandbox else os.devnull,
        "stderr": f"{sandbox}/stderr" if sandbox else os.devnull,
        "rotation": {f"{plan['sandbox']}/{name}": rule for name, rule in plan["rotation"].items()},
        "parent": plan.get("parent", ""),
    }
    if "io" in plan:
        request["io"] = _wiring(plan, user)
    if plan["isolation"] != "oci":
        return {
            **request,
            "argv": [*wrapping(plan, user), *plan["argv"]],
            "environment": plan["environment"],
        }
    request |= {"environment": dict(QUIET_ENVIRONMENT), "pid_file": plan["pid_file"]}
    more = ["--console-socket", CONSOLE] if request.get("io", {}).get("console") else []
    run = [*plan["run"][:-1], *more, plan["run"][-1]]
    if "session_of" in plan:
        write_process(plan, user)
        return {**request, "argv": run, "log": plan["bundle"] + "/log"}
    write_bundle(plan, user, image)
    staged = needs_stage(plan)
    return {
        **request,
        "argv": [*program(*stage_words(plan, "enter")), *more] if staged else run,
        "cleanup": program(*stage_words(plan, "leave")) if staged else plan["cleanup"],
        "own_cleanup": stage_words(plan, "leave") if staged else [],
        "processes": plan["processes"],
        "memory": plan["memory"],
        "freezer": plan["freezer"],
        "log": plan["bundle"] + "/log",
    }


def _wiring(plan: dict[str, Any], user: dict[str, Any] | None) -> dict[str, Any]:
    """What the supervisor needs to put a switchboard before a container."""
    return {
        **plan["io"],
        "console": plan["isolation"] == "oci" and plan["io"]["tty"] is not None,
        "owner": None if user is None else [user["uid"], user["gid"]],
        "program": program("mesosphere.agent.isolation.switchboard"),
    }


def write_process(plan: dict[str, Any], user: dict[str, Any] | None) -> None:
    """Write `process.json` of a session: as its parent's first process, but for what it asks.

    Raises PlanError if the parent is gone.
    """
    try:
        parent = json.loads(Path(plan["parent_bundle"], "config.json").read_text())
    except (OSError, ValueError) as error:
        raise PlanError(f"the container {plan['session_of']} is gone") from error
    process = parent["process"]
    variables = dict(pair.partition("=")[::2] for pair in process["env"])
    variables.update(plan["environment"])
    process |= {
        "args": plan["argv"],
        "env": [f"{key}={value}" for key, value in variables.items()],
        "terminal": plan["io"]["tty"] is not None,
    }
    process.pop("consoleSize", None)
    if any(plan["io"]["tty"] or ()):
        rows, columns = plan["io"]["tty"]
        process["consoleSize"] = {"height": rows, "width": columns}
    if user is not None and not plan["keeps_user"]:
        _become(process, user, keeps_capabilities=False)
    bundle = Path(plan["bundle"])
    bundle.mkdir(parents=True, exist_ok=True, mode=0o700)
    (bundle / "process.json").write_text(json.dumps(process))


def _become(process: dict[str, Any], user: dict[str, Any], keeps_capabilities: bool) -> None:
    """Let a process run as a user; one without root keeps no capability unless told to."""
    process["user"] = {
        "uid": user["uid"], "gid": user["gid"], "additionalGids": user["groups"],
    }  # fmt: skip
    if user["uid"] != 0 and not keeps_capabilities:
        bounding = process["capabilities"]["bounding"]
        process["capabilities"] = {"bounding": bounding, "effective": [], "permitted": []}


def stage_words(plan: dict[str, Any], action: str) -> list[str]:
    """Module and arguments of what lays out, or takes away, what is around a container."""
    return ["mesosphere.agent.isolation.staging", action, f"{plan['bundle']}/stage.json"]


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


def write_bundle(
    plan: dict[str, Any], user: dict[str, Any] | None, image: dict[str, Any] | None = None
) -> None:
    """Write `config.json` with the user's numbers. `image` is what the image says of itself.

    Raises PlanError for what the plan asks and this host does not have.
    """
    config = complete(plan, user, image)
    bundle = Path(plan["bundle"])
    bundle.mkdir(parents=True, exist_ok=True, mode=0o700)
    (bundle / "config.json").write_text(json.dumps(config))
    if "io" in plan:
        (bundle / "console").touch()
    stage = {key: plan[key] for key in STAGED if key in plan}
    if needs_stage(plan):
        lower = {"lower": image["rootfs"]} if image is not None else {}
        (bundle / "stage.json").write_text(json.dumps({**stage, "bundle": str(bundle), **lower}))


def needs_stage(plan: dict[str, Any]) -> bool:
    """Whether something must be laid out around the container before the runtime is called."""
    return "image" in plan or "networks" in plan


def complete(
    plan: dict[str, Any], user: dict[str, Any] | None, image: dict[str, Any] | None
) -> dict[str, Any]:
    """The plan's `config` with all that is only known now."""
    config = plan["config"]
    process = dict(config["process"])
    if user is not None:
        _become(process, user, plan["keeps_capabilities"])
    if image is not None:
        process.update(image_process(plan, image))
    linux = dict(config["linux"])
    if plan["seccomp"]:
        effective = process["capabilities"]["effective"]
        linux["seccomp"] = read_profile(plan["seccomp"], effective)
    mounts = config["mounts"]
    if image is None:
        _check_mount_points(mounts, plan["sandbox"])
    if plan["read_only_host"]:
        mounts = [*read_only_mounts(Path("/proc/self/mounts").read_text(), plan), *mounts]
    config = {**config, "process": process, "linux": linux, "mounts": mounts}
    if plan["gpu_devices"]:
        chosen = plan.get("gpus_given", [])
        return with_devices(config, chosen, plan["device_directory"], image is not None)
    return config


def image_process(plan: dict[str, Any], image: dict[str, Any]) -> dict[str, Any]:
    """Command, environment and directory as the image and the task say together."""
    told = image["config"]
    entry, command = told.get("Entrypoint") or [], told.get("Cmd") or []
    asked = plan["image"]
    given = asked["arguments"]
    if plan["argv"]:
        words = plan["argv"]
    elif entry or asked["as_docker"]:
        words = [*entry, *(given or command)]
    else:
        words = [*command[:1], *given] if given else command
    if not words:
        raise PlanError("neither the task nor its image names a command")
    variables = dict(plan["environment"])
    for pair in told.get("Env") or ():
        name, _, value = pair.partition("=")
        variables[name] = value
    variables.update(asked["environment"])
    process = {"args": list(words), "env": [f"{key}={value}" for key, value in variables.items()]}
    if told.get("WorkingDir"):
        process["cwd"] = told["WorkingDir"]
    return process


def _check_mount_points(mounts: list[dict[str, Any]], sandbox: str) -> None:
    # On the host's own file system a missing mount point would be made there for good.
    for mount in mounts:
        place = mount["destination"]
        if not place.startswith(sandbox) and not os.path.lexists(place):
            raise PlanError(f"the volume's place '{place}' does not exist on this host")


WRITABLE_BELOW = ("/proc", "/sys", "/dev")
"""Not made read-only with the host: the kernel's own, guarded by capabilities."""


def read_only_mounts(table: str, plan: dict[str, Any]) -> list[dict[str, Any]]:
    """File systems mounted on the host, each bound again without the right to write."""
    below = (*WRITABLE_BELOW, plan["config"]["root"]["path"])
    found = {}
    for line in table.splitlines():
        place = line.split()[1].encode().decode("unicode_escape")
        if place == "/" or any(place == each or place.startswith(each + "/") for each in below):
            continue
        found[place] = {
            "destination": place, "type": "bind", "source": place, "options": ["bind", "ro"],
        }  # fmt: skip
    return list(found.values())


def remove_bundle(runtime_dir: Path, container: str) -> None:
    """Drop the bundle of a container that is gone, and the place to attach to it."""
    for name in ("bundles", "attach"):
        shutil.rmtree(runtime_dir / name / container, ignore_errors=True)
