"""Containers whose root is an image: unpacked, shared, kept from the host, and collected."""

import asyncio
import gzip
import tarfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.integration import images
from tests.integration.container_bench import DEADLINE_S, make_bench, needs_oci

from mesosphere.agent.core.surroundings import Image, Surroundings, Volume
from mesosphere.agent.isolation import probe
from mesosphere.kernel.effects import DestroyContainer, RunCheck
from mesosphere.kernel.events import (
    CheckFinished,
    ContainerExited,
    ContainerFailed,
    ContainerStarted,
)

__all__ = ["make_bench"]
pytestmark = needs_oci
CONFIG = {
    "Env": ["PATH=/bin:/usr/bin", "FROM_IMAGE=yes", "WORD=image"],
    "Entrypoint": ["/bin/cat"],
    "Cmd": ["/etc/greeting"],
    "WorkingDir": "/etc",
}


async def image_bench(make_bench: Any, tmp_path: Path, backend: str = "") -> Any:
    bench = await make_bench("oci")
    (tmp_path / "registry").mkdir(exist_ok=True)
    chosen = backend or ("copy" if probe.why_no_overlay(tmp_path) else "overlay")
    bench.settle(
        image_backend=chosen, image_store=str(tmp_path / "store"),
        docker_registry=str(tmp_path / "registry"),
    )  # fmt: skip
    return bench


def run(bench: Any, name: str, image: str, script: str = "", **more: Any) -> Path:
    changes = more.pop("around", {})
    around = msgspec.structs.replace(Surroundings(image=Image(image)), **changes)
    argv = ("/bin/sh", "-c", script) if script else ()
    sandbox: Path = bench.launch(name, "", argv=argv, around=around, **more)
    return sandbox


@pytest.mark.parametrize("backend", ["overlay", "copy"])
async def test_a_task_runs_in_an_image_and_can_not_write_outside_it(
    make_bench: Any, tmp_path: Path, backend: str
) -> None:
    if backend == "overlay" and (reason := probe.why_no_overlay(tmp_path)):
        pytest.skip(f"no overlay here: {reason}")
    bench = await image_bench(make_bench, tmp_path, backend)
    archive = tmp_path / "registry" / "app.tar"
    images.write_archive(archive, [images.base_layer({"etc/greeting": b"hi"})], CONFIG, "app:1")
    script = (
        "pwd; env; touch /etc/mine /mnt/mesos/sandbox/out; ls /; ls /dev; cat /proc/1/comm;"
        " echo x > /etc/greeting"
    )
    sandbox = run(bench, "c1", "app", script, command_environment={"WORD": "task"})
    ended = await bench.find(ContainerExited, "c1")
    told = (sandbox / "stdout").read_text().splitlines()
    assert ended.status == 0, (sandbox / "stderr").read_text()
    assert told[0] == "/etc"
    assert {"FROM_IMAGE=yes", "WORD=task", "PATH=/bin:/usr/bin"} <= set(told)
    assert "null" in told and "sda" not in told and "home" not in told
    assert (sandbox / "out").exists() and not Path("/etc/mine").exists()
    bench.perform(DestroyContainer("c1"))
    second = run(bench, "c2", "app")
    assert (await bench.find(ContainerExited, "c2")).status == 0
    assert (second / "stdout").read_text() == "hi"
    bench.perform(DestroyContainer("c2"))
    await asyncio.gather(*bench.tasks)
    assert not list((tmp_path / "provisioner" / "containers").iterdir())
    assert str(tmp_path) not in Path("/proc/self/mounts").read_text()


async def test_the_images_command_takes_the_tasks_arguments(
    make_bench: Any, tmp_path: Path
) -> None:
    bench = await image_bench(make_bench, tmp_path)
    layers = [images.base_layer({"etc/greeting": b"hi", "etc/other": b"other"})]
    images.write_layout(tmp_path / "registry" / "app:2", [gzip.compress(layers[0])], layers,
                        CONFIG, "2")  # fmt: skip
    sandbox = run(bench, "c1", "app:2", image_arguments=("/etc/other",))
    assert (await bench.find(ContainerExited, "c1")).status == 0
    assert (sandbox / "stdout").read_text() == "other"
    again = run(bench, "c2", f"oci:{tmp_path}/registry/app:2", image_arguments=("/etc/other",))
    failed = await bench.find(ContainerFailed, "c2")
    assert failed.phase == "image" and "index.json" in failed.reason, (failed, again)


async def test_layers_lie_over_each_other_with_their_whiteouts(
    make_bench: Any, tmp_path: Path
) -> None:
    bench = await image_bench(make_bench, tmp_path)
    upper = images.layer(
        ("etc/greeting", b"new"), ("removed/.wh.old",), ("etc/.wh.gone",),
        ("var/run", b"", tarfile.SYMTYPE, "/run"), ("run/deep/file", b"through"),
        ("hard", b"", tarfile.LNKTYPE, "etc/greeting"), ("opaque/.wh..wh..opq",),
        ("opaque/fresh", b"fresh"), ("var/run/more", b"more"),
    )  # fmt: skip
    lower = images.base_layer(
        {"etc/greeting": b"old", "etc/gone": b"", "removed/old": b"", "opaque/stale": b""}
    )
    archive = tmp_path / "registry" / "app.tar"
    images.write_archive(archive, [lower, upper], CONFIG, "app:1")
    script = "cat /hard /run/deep/file /run/more; ls /opaque /removed; ls /etc/gone || echo gone"
    sandbox = run(bench, "c1", "app", script)
    await bench.find(ContainerExited, "c1")
    told = (sandbox / "stdout").read_text()
    assert told == "newthroughmore/opaque:\nfresh\n\n/removed:\ngone\n", told


@pytest.mark.parametrize(
    ("entry", "escaped"),
    [
        (("../../../../escaped", b"x"), "escaped"),
        (("link", b"", tarfile.SYMTYPE, "/../../.."), None),
        (("dev/null2", b"", tarfile.CHRTYPE), "dev/null2"),
        (("hard", b"", tarfile.LNKTYPE, "../../../../../../etc/passwd"), None),
    ],
)
async def test_no_layer_reaches_the_host(
    make_bench: Any, tmp_path: Path, entry: tuple[Any, ...], escaped: str | None
) -> None:
    bench = await image_bench(make_bench, tmp_path)
    layers = [images.base_layer(), images.layer(entry, ("link/through", b"x"))]
    images.write_archive(tmp_path / "registry" / "app.tar", layers, CONFIG, "app:1")
    run(bench, "c1", "app", "exit 7")
    until = asyncio.get_running_loop().time() + DEADLINE_S
    while not any(isinstance(each, ContainerFailed | ContainerExited) for each in bench.events):
        assert asyncio.get_running_loop().time() < until
        await asyncio.sleep(0.02)
    assert not Path("/through").exists()
    if escaped is not None:
        assert not any(place.exists() for place in (Path("/", escaped), tmp_path / escaped))


async def test_images_that_can_not_be_had_fail_their_own_task(
    make_bench: Any, tmp_path: Path
) -> None:
    bench = await image_bench(make_bench, tmp_path)
    registry = tmp_path / "registry"
    (registry / "junk.tar").write_bytes(b"no tar at all")
    layers = [images.base_layer()]
    images.write_archive(registry / "short.tar", layers, CONFIG, "short:1")
    whole = (registry / "short.tar").read_bytes()
    (registry / "short.tar").write_bytes(whole[: len(whole) // 2])
    images.write_layout(registry / "wrong", [images.layer(("a", b"b"))], layers, CONFIG, "latest")
    for name, why in {
        "absent": "has neither absent.tar",
        "../etc": "leads out of",
        "junk": "is no archive of docker save",
        "short": "short.tar",
        "wrong": "is not what the image names",
    }.items():
        container = f"c-{name.strip('./')}"
        run(bench, container, name, "true")
        failed = await bench.find(ContainerFailed, container)
        assert failed.phase == "image" and why in failed.reason, failed
    assert not list((tmp_path / "store" / "staging").iterdir())


async def test_a_root_may_be_read_only_and_volumes_are_where_they_were_asked(
    make_bench: Any, tmp_path: Path
) -> None:
    bench = await image_bench(make_bench, tmp_path)
    images.write_archive(tmp_path / "registry" / "app.tar", [images.base_layer()], {}, "app:1")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "in").write_text("given")
    volumes = (
        Volume("/data", str(tmp_path / "data"), read_only=True),
        Volume("/scratch", "scratch", make=True),
        Volume("/memory", kind="tmpfs", size_mib=1),
        Volume("below", str(tmp_path / "data")),
    )
    script = (
        "cat /data/in; touch /data/x || echo data; touch /etc/x || echo etc;"
        " touch /scratch/y /memory/z /mnt/mesos/sandbox/below/w && echo written"
    )
    around = {"read_only_root": True, "volumes": volumes}
    sandbox = run(bench, "c1", "app", script, around=around)
    await bench.find(ContainerExited, "c1")
    assert (sandbox / "stdout").read_text() == "givendata\netc\nwritten\n"
    assert (sandbox / "scratch" / "y").exists() and (tmp_path / "data" / "w").exists()


async def test_checks_look_at_the_images_root(make_bench: Any, tmp_path: Path) -> None:
    bench = await image_bench(make_bench, tmp_path)
    archive = tmp_path / "registry" / "app.tar"
    images.write_archive(archive, [images.base_layer({"etc/only-here": b""})], {}, "app:1")
    run(bench, "c1", "app", "sleep 1000")
    await bench.find(ContainerStarted, "c1")
    words = ("/bin/sh", "-c", "ls /etc/only-here")
    bench.perform(RunCheck("k1", "c1", words, {"PATH": "/bin"}, DEADLINE_S))
    assert (await bench.find(CheckFinished, "k1")).exit_code == 0
    bench.perform(DestroyContainer("c1"))
    await bench.find(ContainerExited, "c1")


async def test_unused_images_are_pruned_and_used_ones_stay(make_bench: Any, tmp_path: Path) -> None:
    bench = await image_bench(make_bench, tmp_path)
    for name in ("used", "unused", "excluded"):
        layers = [images.base_layer({"etc/name": name.encode()})]
        images.write_archive(tmp_path / "registry" / f"{name}.tar", layers, {}, f"{name}:1")
        run(bench, name, name, "sleep 1000" if name == "used" else "exit 0")
        await bench.find(ContainerStarted if name == "used" else ContainerExited, name)
        if name != "used":
            bench.perform(DestroyContainer(name))
    await asyncio.gather(*bench.tasks)
    kept = tmp_path / "store" / "images"
    assert len(list(kept.iterdir())) == 3
    await bench.containerizer.prune_images(str(tmp_path / "store"), ("excluded",))
    names = {(home / "rootfs" / "etc" / "name").read_text() for home in kept.iterdir()}
    assert names == {"used", "excluded"}
    bench.perform(DestroyContainer("used"))
    await bench.find(ContainerExited, "used")


async def test_a_host_may_be_shown_without_the_right_to_write(
    make_bench: Any, tmp_path: Path
) -> None:
    bench = await make_bench("oci")
    bench.settle(read_only_root=True)
    mark = "/etc/mesosphere-test-mark"
    script = f"touch {mark} && echo etc; touch /run/x.mark && echo run; touch here && echo here"
    sandbox = bench.launch("c1", script)
    await bench.find(ContainerExited, "c1")
    assert not Path(mark).exists() and not Path("/run/x.mark").exists()
    assert (sandbox / "stdout").read_text() == "here\n"
