"""The plan of a session: a process that joins the container of its parent, whole.

It has the parent's namespaces, root, control group, directory, environment and, unless its command
names one, user; what its command's environment says comes on top. It has no sandbox, and no files:
all that it writes goes to who launched it. In `posix` there is nothing to join but the directory.
Source: apache/mesos src/slave/containerizer/mesos/containerizer.cpp (ContainerClass::DEBUG).
"""

import posixpath
from typing import Any

from mesosphere.agent.core.addresses import network_holder
from mesosphere.agent.core.config import AgentConfig
from mesosphere.agent.core.containers import ContainerRequest, io_part
from mesosphere.agent.core.executor_requests import executor_request
from mesosphere.agent.core.extra_records import ExtraFile
from mesosphere.agent.core.extra_requests import Home, extra_request, find_home
from mesosphere.agent.core.refusals import Unsupported
from mesosphere.agent.core.requests import (
    command_environment,
    command_words,
    container_request,
    terminal_size,
)
from mesosphere.agent.core.state import State

TERMINAL = "xterm"
"""What a terminal is taken for unless the command says otherwise."""


def request_of(state: State, home: Home) -> ContainerRequest:
    """The request that a container which runs was made from."""
    config, agent_id = state.config, state.agent_id or ""
    extra = state.extras.get(home.name)
    framework = state.frameworks.get(home.framework_id)
    if extra is not None:
        above = find_home(state, extra.file.order.parent)
        return extra_request(extra.file, above, framework, agent_id, config)
    assert framework is not None, "who has a container has a framework"
    executor = state.executor_containers.get(home.name)
    if executor is not None:
        return executor_request(executor, framework.info, config, executor.resources)
    task = state.containers[home.name]
    return container_request(
        task.info, framework.info, agent_id, home.name, task.resources, config,
        task.executor_id, network_holder(task),
    )  # fmt: skip


def session_plan(
    file: ExtraFile, home: Home, parent: ContainerRequest, config: AgentConfig
) -> dict[str, Any]:
    """The plan as plain values. Raises Unsupported."""
    order, host = file.order, config.host
    asked = order.container
    if asked is not None and (asked.volumes or asked.mesos is not None or asked.network_infos):
        raise Unsupported("a session has the image, the volumes and the networks of its parent")
    size = terminal_size(asked)
    own = {**({"TERM": TERMINAL} if size is not None else {}), **command_environment(order.command)}
    own["MESOS_CONTAINER_ID"] = order.name
    plan: dict[str, Any] = {
        "container": order.name,
        "isolation": host.isolation,
        "session_of": home.name,
        "sandbox": "",
        "user": file.user if host.is_root and host.switch_user else None,
        "keeps_user": order.command.user is None,
        "uris": [],
        "argv": list(command_words(order.command)),
        "environment": own,
        "directory": home.sandbox,
        "rlimits": [],
        "rotation": {},
        "io": io_part(host, order.name, size, waits=True),
    }
    if host.isolation != "oci":
        environment = {**parent.environment, **parent.around.environment, **own}
        return {**plan, "environment": environment}
    bundle = posixpath.join(host.runtime_dir, "bundles", order.name)
    run = [
        host.runtime,
        "--root",
        posixpath.join(host.runtime_dir, "oci"),
        "--log",
        f"{bundle}/log",
    ]
    return {
        **plan,
        "directory": "/",
        "bundle": bundle,
        "parent_bundle": posixpath.join(host.runtime_dir, "bundles", home.name),
        "pid_file": f"{bundle}/pid",
        "run": [
            *run, "exec", "--detach", "--pid-file", f"{bundle}/pid",
            "--process", f"{bundle}/process.json", home.name,
        ],
    }  # fmt: skip
