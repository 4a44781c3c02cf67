"""Makes sandboxes on disk, owned by the right user, and removes old ones."""

import contextlib
import grp
import os
import pwd
import shutil
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

SANDBOX_MODE = 0o750
LOOK_UP_AGAIN_S = 30.0
OUTPUT_FILES = ("stdout", "stderr")


class SandboxError(Exception):
    """The sandbox can't be made; the message is one sentence."""


def resolve_user(name: str | None) -> dict[str, Any] | None:
    """Numbers of a user of this host: uid, gid, groups. None stays None (the agent's own user)."""
    if name is None:
        return None
    # Looking users up costs more than starting a process: the answer is kept for a while.
    return dict(_look_up(name, int(time.monotonic() / LOOK_UP_AGAIN_S)))


@lru_cache(maxsize=256)
def _look_up(name: str, period: int) -> dict[str, Any]:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        if not name.isdigit():
            raise SandboxError(f"the user '{name}' does not exist on this host") from None
        try:
            entry = pwd.getpwuid(int(name))
        except KeyError:
            return {"name": name, "uid": int(name), "gid": int(name), "groups": []}
    groups = {group.gr_gid for group in grp.getgrall() if entry.pw_name in group.gr_mem}
    return {
        "name": entry.pw_name,
        "uid": entry.pw_uid,
        "gid": entry.pw_gid,
        "groups": sorted(groups | {entry.pw_gid}),
    }


def make_sandbox(plan: dict[str, Any], user: dict[str, Any] | None) -> None:
    """Make the directory, its output files and its links."""
    sandbox = Path(plan["sandbox"])
    try:
        sandbox.mkdir(parents=True, exist_ok=True)
        sandbox.chmod(SANDBOX_MODE)
        for name in OUTPUT_FILES:
            path = sandbox / name
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o644)
            if user is not None:
                os.fchown(descriptor, user["uid"], user["gid"])
            os.close(descriptor)
        if user is not None:
            os.chown(sandbox, user["uid"], user["gid"])
        for path in plan.get("make", ()):
            _make_owned(Path(path), sandbox, user)
        for volume, kind in plan.get("own", ()):
            _own_volume(Path(volume), kind, user)
        for place, target in plan["links"]:
            Path(place).parent.mkdir(parents=True, exist_ok=True)
            replace_link(Path(place), target)
    except OSError as error:
        raise SandboxError(f"can't make the sandbox {sandbox}: {error.strerror}") from error


def _own_volume(path: Path, kind: str, user: dict[str, Any] | None) -> None:
    """A volume belongs to its task's user, what lies in it as before; a shared one to the first."""
    if user is None:
        return
    if kind == "alone" or path.stat().st_uid == os.geteuid():
        os.chown(path, user["uid"], user["gid"])


def _make_owned(path: Path, sandbox: Path, user: dict[str, Any] | None) -> None:
    # The sandbox of a parent is full of what its tasks have put there, links among it.
    home = sandbox if path.is_relative_to(sandbox) else sandbox.parent.parent
    if not path.resolve().is_relative_to(home.resolve()):
        raise SandboxError(f"the volume {path} leads out of its sandbox through a link")
    missing = [each for each in (path, *path.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir()
        if user is not None:
            os.chown(each, user["uid"], user["gid"])


def replace_link(place: Path, target: str) -> None:
    """Point a symbolic link elsewhere, at no time without it."""
    aside = place.with_name(f".{place.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        aside.unlink()
    aside.symlink_to(target)
    aside.rename(place)


def remove_sandbox(path: Path) -> None:
    """Remove a sandbox and the directories above it that became empty."""
    shutil.rmtree(path, ignore_errors=True)
    runs = path.parent
    latest = runs / "latest"
    if latest.is_symlink() and not latest.exists():
        latest.unlink(missing_ok=True)
    # runs, <executor>, executors, <framework>, frameworks: whatever is empty now.
    for directory in (runs, *list(runs.parents)[:4]):
        try:
            directory.rmdir()
        except OSError:
            return


def list_sandboxes(work_dir: Path) -> list[tuple[str, float]]:
    """(path, time of last change) of every sandbox below the work directory."""
    found = []
    for path in sorted(work_dir.glob("slaves/*/frameworks/*/executors/*/runs/*")):
        if path.is_dir() and not path.is_symlink():
            with contextlib.suppress(OSError):
                found.append((str(path), path.stat().st_mtime))
    return found
