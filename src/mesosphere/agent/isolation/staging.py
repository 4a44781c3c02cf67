"""Lays out what is around a container, then becomes the OCI runtime; and takes it away again.

A program that the supervisor starts: `enter FILE` mounts the image's root and joins networks, then
replaces itself by the runtime; `leave FILE` undoes all that and succeeds however little was done.
It runs in the supervisor's mount namespace, so nothing is left on the host when that is gone.
FILE is `stage.json` of the bundle, written by `plans`.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

from mesosphere.agent.isolation.networks import MNT_DETACH, NetworkError, attach, detach
from mesosphere.agent.isolation.processes import system_call

SUBDIRECTORIES = ("upper", "work", "rootfs")


class StageError(Exception):
    """Something around the container can't be had; the message is one sentence."""


def enter(stage: dict[str, Any]) -> None:
    """Lay everything out. Raises StageError."""
    if "image" in stage:
        lay_out_root(stage["image"], stage["lower"])
    if "networks" in stage:
        try:
            attach(stage["networks"], stage["container"], Path(stage["bundle"]))
        except NetworkError as error:
            raise StageError(str(error)) from error


def lay_out_root(image: dict[str, Any], lower: str) -> None:
    """The container's own root over the image's files: an overlay, or a copy."""
    provision = Path(image["provision"])
    for name in SUBDIRECTORIES:
        (provision / name).mkdir(parents=True, exist_ok=True)
    root = provision / "rootfs"
    if image["backend"] == "overlay":
        (provision / "upper").chmod(Path(lower).stat().st_mode & 0o7777)
        places = {"lowerdir": lower, "upperdir": provision / "upper", "workdir": provision / "work"}
        options = ",".join(f"{key}={_escaped(str(path))}" for key, path in places.items())
        try:
            system_call("mount", b"overlay", os.fsencode(root), b"overlay", 0, options.encode())
        except OSError as error:
            raise StageError(f"the image's root can't be mounted: {error.strerror}") from error
        return
    done = subprocess.run(
        ["cp", "-a", "--reflink=auto", f"{lower}/.", str(root)], capture_output=True, check=False
    )
    if done.returncode != 0:
        reason = done.stderr.decode(errors="replace").strip()[:500]
        raise StageError(f"the image's root can't be copied: {reason}")


def _escaped(path: str) -> str:
    return path.replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,")


def leave(stage: dict[str, Any]) -> None:
    """Undo it; what was not done is no fault."""
    subprocess.run(stage["cleanup"], capture_output=True, check=False)
    if "networks" in stage:
        detach(Path(stage["bundle"]))
    if "image" in stage:
        provision = Path(stage["image"]["provision"])
        with contextlib.suppress(OSError):
            system_call("umount2", os.fsencode(provision / "rootfs"), MNT_DETACH)
        shutil.rmtree(provision, ignore_errors=True)


def main(arguments: list[str]) -> int:
    """`enter FILE` or `leave FILE`; a fault is told in the runtime's log.

    What follows FILE are more options for the runtime.
    """
    action, file, *more = arguments
    try:
        stage = json.loads(Path(file).read_text())
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{file}: {error}\n")
        return 1
    if action == "leave":
        leave(stage)
        return 0
    try:
        enter(stage)
    except StageError as error:
        with contextlib.suppress(OSError):
            Path(stage["bundle"], "log").write_text(str(error))
        return 1
    return become([*stage["run"][:-1], *more, stage["run"][-1]])


def become(command: list[str]) -> NoReturn:
    """Replace this program by another."""
    os.execv(command[0], command)
