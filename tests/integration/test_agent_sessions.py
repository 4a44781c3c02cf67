"""A shell in a running task, and everything else that is attached to containers, over real HTTP."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from tests.integration import images
from tests.integration.agent_harness import wait_for
from tests.integration.attached import Input, Output
from tests.integration.test_agent_extra_containers import (
    call,
    identify,
    pids,
    running_task,
    sandbox_of,
)
from tests.integration.test_agent_service import KINDS, Pair, make_pair, needs_oci

from mesosphere.wire.mesos.containers import (
    ContainerInfo,
    DockerImage,
    Image,
    MesosInfo,
    TTYInfo,
    WindowSize,
)
from mesosphere.wire.mesos.media import Media

__all__ = ["make_pair"]


def session(name: str, script: str, tty: tuple[int, int] | None = None) -> dict[str, Any]:
    body: dict[str, Any] = {"container_id": identify(name), "command": {"value": script}}
    if tty is not None:
        size = {"rows": tty[0], "columns": tty[1]}
        body["container"] = {"type": "MESOS", "tty_info": {"window_size": size}}
    return {"type": "LAUNCH_NESTED_CONTAINER_SESSION", "launch_nested_container_session": body}


def attach(name: str) -> dict[str, Any]:
    body = {"container_id": identify(name)}
    return {"type": "ATTACH_CONTAINER_OUTPUT", "attach_container_output": body}


@pytest.mark.parametrize("isolation", KINDS)
async def test_a_user_has_a_shell_in_a_running_task(make_pair: Any, isolation: str) -> None:
    pair: Pair = await make_pair(isolation)
    parent = await running_task(pair, "t1", "export OWN=1; sleep 1000")
    name = f"{parent}.shell"
    output = await Output(pair.agent.port).open(session(name, "exec /bin/sh", (30, 100)))
    assert output.answer is not None and output.answer.status == 200
    assert output.answer.headers["Content-Type"] == "application/recordio"
    assert output.answer.headers["Message-Content-Type"] == "application/json"
    typed = Input(pair.agent.port, identify(name))
    typed.say(b"echo $((6*7)) $(tty) $(stty size) $TERM\n")
    said = await output.until(b"30 100 xterm")
    assert b"\n42 /dev/pts/" in said.replace(b"\r", b"")
    typed.control(type="HEARTBEAT", heartbeat={"interval": {"nanoseconds": 30_000_000_000}})
    typed.resize(50, 132)
    typed.say(b"stty size; pwd; echo $MESOS_CONTAINER_ID $MESOS_TASK $MESOS_EXECUTOR_ID\n")
    await output.until(b"50 132")
    assert str(await sandbox_of(pair)).encode() in await output.until(f"{name} t1".encode())
    if isolation != "posix":
        typed.say(b"cat /proc/self/cgroup\n")
        await output.until(f"/{parent}\r\n".encode())
    assert (await Input(pair.agent.port, identify(name)).answered())[0] == 409
    waiting = asyncio.create_task(call(pair, "WAIT_CONTAINER", name))
    typed.say(b"exit 5\n")
    await output.rest()
    assert (await typed.answered())[0] == 200  # though its body has not ended
    assert await waiting == (200, {"exit_status": 5 << 8})
    assert pair.master.states("t1") == ["TASK_STARTING", "TASK_RUNNING"]
    await output.close()


@pytest.mark.parametrize("isolation", KINDS)
async def test_a_session_without_a_terminal_has_three_streams(
    make_pair: Any, isolation: str
) -> None:
    pair: Pair = await make_pair(isolation, "--http_heartbeat_interval=200ms")
    name = f"{await running_task(pair)}.pipes"
    output = Output(pair.agent.port, Media.PROTOBUF)
    await output.open(session(name, "sleep 0.5; cat; echo trouble >&2; exit 3"))
    typed = Input(pair.agent.port, identify(name), Media.PROTOBUF)
    typed.say(b"all of it")
    typed.say(b"")
    assert await typed.end() == (200, "")
    assert await output.rest() == b"all of it"
    assert output.told["STDERR"] == b"trouble\n"
    assert output.heartbeats > 0
    assert await call(pair, "WAIT_NESTED_CONTAINER", name) == (200, {"exit_status": 3 << 8})
    # Without recordio in Accept the stream is called what its messages are.
    plain = await Output(pair.agent.port).open(
        session(f"{name}2", "echo short"), **{"Accept": "application/json", "Message-Accept": ""}
    )
    assert plain.answer is not None
    assert plain.answer.headers["Content-Type"] == "application/json"
    assert await plain.rest() == b"short\n"
    missing = await Output(pair.agent.port).open(session(f"{name}3", "exec nothing-like-this"))
    await missing.rest()
    assert (await call(pair, "WAIT_CONTAINER", f"{name}3"))[1]["exit_status"] == 127 << 8
    for each in (output, plain, missing):
        await each.close()


@pytest.mark.parametrize("isolation", KINDS)
async def test_a_session_dies_with_its_connection_and_with_the_agent(
    make_pair: Any, isolation: str
) -> None:
    pair: Pair = await make_pair(isolation)
    parent = await running_task(pair)
    for way in ("hang-up", "kill-9"):
        name = f"{parent}.{way}"
        output = await Output(pair.agent.port).open(session(name, "echo up; sleep 1000"))
        await output.until(b"up")
        pid = (await pids(pair))[way]
        if way == "kill-9":
            pair.agent.kill()
            await pair.start_agent()
        await output.close()
        await wait_for(lambda pid=pid: not os.path.exists(f"/proc/{pid}"), "the session to die")
    assert list(await pids(pair)) == [parent]
    assert pair.master.states("t1") == ["TASK_STARTING", "TASK_RUNNING"]


@pytest.mark.parametrize("isolation", KINDS)
async def test_a_task_with_a_terminal_is_attached_to_before_and_after_kill_9(
    make_pair: Any, isolation: str
) -> None:
    pair: Pair = await make_pair(isolation)
    terminal = ContainerInfo(
        type="MESOS", tty_info=TTYInfo(window_size=WindowSize(rows=20, columns=60))
    )
    script = "stty size; while read line; do echo got $line; done"
    await pair.master.run("t1", script, container=terminal)
    status = await pair.master.wait_state("t1", "TASK_RUNNING")
    name = status.container_status.container_id.value
    written = await sandbox_of(pair) / "stdout"
    await wait_for(lambda: written.read_text() == "20 60\n")
    for line in (b"one", b"two"):
        output = await Output(pair.agent.port).open(attach(name))
        typed = Input(pair.agent.port, identify(name))
        typed.say(line + b"\n")
        await output.until(b"got " + line)
        assert await typed.end() == (200, "")
        await output.close()
        pair.agent.kill()
        await pair.start_agent()
    assert "got one\n" in written.read_text() and "got two\n" in written.read_text()
    output = await Output(pair.agent.port).open(attach(name))
    await pair.master.kill("t1")
    await output.rest()
    await pair.master.wait_state("t1", "TASK_KILLED")
    place = pair.agent.work_dir / "run" / "attach"
    await wait_for(lambda: not list(place.iterdir()), "what it was attached by to go")
    await output.close()


async def test_a_reader_that_does_not_read_costs_little_and_holds_nobody_up(make_pair: Any) -> None:
    pair: Pair = await make_pair("posix")
    parent = await running_task(pair)
    terminal = ContainerInfo(type="MESOS", tty_info=TTYInfo())
    await pair.master.run("chatty", "exec yes", container=terminal)
    status = await pair.master.wait_state("chatty", "TASK_RUNNING")
    chatty = status.container_status.container_id.value
    assert pair.agent.process is not None

    def memory_mib() -> float:
        words = Path(f"/proc/{pair.agent.process.pid}/status").read_text().split()
        return int(words[words.index("VmRSS:") + 1]) / 1024

    before = memory_mib()
    stuck = [await Output(pair.agent.port).open(attach(chatty)) for _ in range(3)]
    stuck.append(await Output(pair.agent.port).open(session(f"{parent}.s", "exec yes")))
    written = pair.agent.work_dir / "written"
    for _ in range(20):
        assert (await pair.agent.get("/health"))[0] == 200
        await asyncio.sleep(0.1)
    assert memory_mib() < before + 40
    assert not written.exists()
    files = list((pair.agent.work_dir / "slaves").glob("*/frameworks/*/executors/chatty/runs/*"))
    size = sum(path.stat().st_size for path in files[0].iterdir())
    await wait_for(
        lambda: sum(path.stat().st_size for path in files[0].iterdir()) > size, "the task to go on"
    )
    for each in stuck:
        await each.close()
    await wait_for(lambda: not (pair.agent.work_dir / "run/attach" / f"{parent}.s").exists())


async def test_what_can_not_be_attached_to_says_so(make_pair: Any) -> None:
    pair: Pair = await make_pair("posix")
    parent = await running_task(pair)
    for name, status in ((parent, 500), ("nobody", 404), (f"{parent}.nobody", 500)):
        assert (await call(pair, "ATTACH_CONTAINER_OUTPUT", name))[0] == status
        typed = Input(pair.agent.port, identify(name))
        assert (await typed.answered())[0] == status
    output = await Output(pair.agent.port).open(session(f"{parent}.s", "cat"))
    typed = Input(pair.agent.port, identify(f"{parent}.s"))
    typed.resize(1, 2)
    status, text = await typed.answered()
    assert (status, text[:30]) == (400, "Unable to set the window size:")
    typed = Input(pair.agent.port, identify(f"{parent}.s"))
    typed.control(type="TTY_INFO")
    assert (await typed.answered()) == (
        400, "Expecting 'process_io.control.tty_info' to be present",
    )  # fmt: skip
    await output.close()


@needs_oci
async def test_a_shell_in_a_task_with_an_image_sees_the_image(
    make_pair: Any, tmp_path: Path
) -> None:
    archive = tmp_path / "registry" / "app.tar"
    archive.parent.mkdir()
    layers = [images.base_layer({"etc/greeting": b"hi"})]
    images.write_archive(archive, layers, {"Env": ["WORD=image"]}, "app:1")
    pair: Pair = await make_pair("auto", f"--docker_registry={tmp_path}/registry")
    image = Image(type="DOCKER", docker=DockerImage(name="app"))
    await pair.master.run(
        "t1", "exec sleep 1000",
        container=ContainerInfo(type="MESOS", mesos=MesosInfo(image=image), tty_info=TTYInfo()),
    )  # fmt: skip
    status = await pair.master.wait_state("t1", "TASK_RUNNING")
    name = f"{status.container_status.container_id.value}.shell"
    output = await Output(pair.agent.port).open(session(name, "exec /bin/sh", (30, 100)))
    typed = Input(pair.agent.port, identify(name))
    typed.say(b"cat /etc/greeting; echo $WORD-$TERM; pwd\n")
    said = await output.until(b"image-xterm\r\n/mnt/mesos/sandbox")
    assert b"hi" in said
    typed.say(b"exit\n")
    await output.rest()
    await output.close()
    nested = f"{name.partition('.')[0]}.nested"
    own = {"type": "MESOS", "mesos": {"image": {"type": "DOCKER", "docker": {"name": "app"}}}}
    script = "cat /etc/greeting; exit 4"
    body = {"command": {"value": script}, "container": own}
    assert (await call(pair, "LAUNCH_CONTAINER", nested, **body))[0] == 200
    assert await call(pair, "WAIT_CONTAINER", nested) == (200, {"exit_status": 4 << 8})
    written = (await sandbox_of(pair)) / "containers" / "nested" / "stdout"
    assert written.read_text() == "hi"
