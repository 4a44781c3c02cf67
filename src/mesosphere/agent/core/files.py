"""Which files clients may read: a virtual path -> a path on disk, or nothing.

Attached are the sandboxes, by their real path and by `/frameworks/<f>/executors/<e>/runs/<run>`,
where the run may be `latest`, and the agent's log as `/slave/log`. This is the lexical half of the
guard: no `..` survives. The other half, that no symbolic link leads out of the sandbox, is checked
on disk by the service. Source: apache/mesos src/files/files.cpp and src/slave/slave.cpp.
"""

import posixpath
import re

from mesosphere.agent.core.config import AgentConfig

PATH_LIMIT = 4096
LOG_NAMES = ("/slave/log", "/agent/log")
_RUN = r"frameworks/[^/]+/executors/[^/]+/runs/[^/]+"
_VIRTUAL = re.compile(rf"^/({_RUN})(/.*)?$")
_REAL = re.compile(rf"^/slaves/[^/]+/({_RUN})(/.*)?$")


def real_path(config: AgentConfig, agent_id: str | None, path: str) -> str | None:
    """The file that a client means; None if it is not attached."""
    if not path or len(path) > PATH_LIMIT or "\0" in path:
        return None
    clean = posixpath.normpath("/" + path.lstrip("/"))
    if clean in LOG_NAMES:
        return config.log_path or None
    work_dir = config.host.work_dir
    if clean.startswith(work_dir.rstrip("/") + "/") and _REAL.match(clean[len(work_dir) :]):
        return clean
    if agent_id is not None and _VIRTUAL.match(clean):
        return f"{work_dir}/slaves/{agent_id}{clean}"
    return None


def sandbox_of(path: str) -> str | None:
    """The sandbox that a path on disk is in; None if it is in none (the log)."""
    found = re.match(rf"^(/.*?/slaves/[^/]+/{_RUN})(/.*)?$", path)
    return found.group(1) if found is not None else None


def attached(config: AgentConfig, agent_id: str | None, sandboxes: list[str]) -> dict[str, str]:
    """Virtual path -> path on disk of everything that can be read (`/files/debug`)."""
    found = {path: path for path in sandboxes}
    prefix = f"{config.host.work_dir}/slaves/{agent_id}"
    for path in sandboxes:
        if path.startswith(prefix + "/"):
            found[posixpath.dirname(path[len(prefix) :]) + "/latest"] = path
    if config.log_path:
        found[LOG_NAMES[0]] = config.log_path
    return found
