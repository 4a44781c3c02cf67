"""Processes of this host: names for system calls, trees of processes, files written aside.

Standard library only: the supervisor imports it, and it must start fast and stay small.
"""

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import struct
import sys
import termios
from pathlib import Path
from typing import Any

from mesosphere.kernel.seals import seal, unseal

LOG_TAIL_BYTES = 2000
"""How much of a log's end is quoted in a reason."""

PR_SET_CHILD_SUBREAPER = 36
CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
MS_BIND, MS_REC, MS_PRIVATE, MS_SLAVE = 4096, 16384, 1 << 18, 1 << 19

Record = dict[str, Any]

_BOOT = (
    "import sys; sys.path.insert(0, sys.argv[1]); from importlib import import_module;"
    " sys.exit(import_module(sys.argv[2]).main(sys.argv[3:]))"
)
_SOURCES = str(Path(__file__).resolve().parents[3])
PROGRAM = [sys.executable, "-I", "-S", "-c", _BOOT, _SOURCES]
"""What programs of our own are started by: isolated from environment and site-packages."""


def program(module: str, *arguments: str) -> list[str]:
    """How a program of our own is started."""
    return [*PROGRAM, module, *arguments]


def system_call(name: str, *arguments: Any) -> None:
    """Call the C library; raises OSError with the call's name."""
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def enter_private_root(root: str) -> None:
    """Take a mount namespace of our own, in which `root` is a copy of `/`.

    OCI runtimes refuse `/` itself as a root. The copy lives in this process's namespace only, so
    nothing is left on the host when this process ends, however it ends.
    """
    system_call("unshare", CLONE_NEWNS)
    system_call("mount", b"none", b"/", None, MS_REC | MS_SLAVE, None)
    Path(root).mkdir(parents=True, exist_ok=True)
    system_call("mount", b"/", os.fsencode(root), None, MS_REC | MS_BIND, None)


def start_time(pid: int) -> int | None:
    """The start of a process in clock ticks since boot; None if it is gone or a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text[text.rindex(")") + 2 :].split()
    return None if fields[0] in "ZX" else int(fields[19])


def processes_of_tree(leader: int) -> list[int]:
    """Living processes of the leader's session or group, and all their descendants."""
    parents: dict[int, int] = {}
    found: list[int] = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            text = Path(f"/proc/{entry}/stat").read_text()
        except OSError:
            continue
        fields = text[text.rindex(")") + 2 :].split()
        pid = int(entry)
        if fields[0] in "ZX":
            continue
        parents[pid] = int(fields[1])
        if pid == leader or int(fields[2]) == leader or int(fields[3]) == leader:
            found.append(pid)
    known = dict.fromkeys(found)
    grown = True
    while grown:
        grown = False
        for pid, parent in parents.items():
            if parent in known and pid not in known:
                known[pid] = None
                grown = True
    return list(known)


def processes_of_group(directory: str) -> list[int]:
    """Processes of a control group and of those below it."""
    found: list[int] = []
    for path, _, files in os.walk(directory):
        if "cgroup.procs" in files:
            found += _members(path)
    return found


def _members(directory: str) -> list[int]:
    # A group below one with processes of its own is a threaded one in version 2: it does not tell
    # its processes, but its threads, each of which stands for its process.
    for name in ("cgroup.procs", "cgroup.threads"):
        with contextlib.suppress(OSError):
            return [int(word) for word in Path(directory, name).read_text().split()]
    return []


def remove_group(directory: str) -> bool:
    """Remove a control group and those below it, if nothing lives there; whether it is gone."""
    for path, _, _ in os.walk(directory, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(path)
    return not os.path.exists(directory)


def find_program(name: str, environment: dict[str, str], directory: str) -> str:
    """The file that `name` means, as execvp finds it in the container's own PATH."""
    if "/" in name:
        return name
    for part in environment.get("PATH", os.defpath).split(":"):
        candidate = Path(directory, part, name)
        if os.access(candidate, os.X_OK) and not candidate.is_dir():
            return str(candidate)
    raise FileNotFoundError(errno.ENOENT, "command not found in PATH", name)


def resize(terminal: int, rows: int, columns: int) -> None:
    """Tell a terminal, and who runs in its foreground, how large it is. Raises OSError."""
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def write_aside(path: Path, value: Record) -> None:
    """Replace a record, sealed, so that readers see the old or the new one, never a part."""
    temporary = path.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(seal(json.dumps(value).encode()))
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    temporary.rename(path)


def read_record(path: Path) -> Record | None:
    """A record written by `write_aside`; None if it is absent or damaged."""
    try:
        value = json.loads(unseal(path.read_bytes()))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def read_or_set_aside(path: Path) -> Record | None:
    """The same of a record that must be there: a damaged one is told, and kept beside its place."""
    record = read_record(path)
    if record is None:
        sys.stderr.write(f"{path} can't be read; it is kept as {path}.damaged\n")
        with contextlib.suppress(OSError):
            path.rename(f"{path}.damaged")
    return record


def take_no_privilege_of_memory() -> None:
    """Tasks inherit our standing with the out-of-memory killer: it must be an ordinary one."""
    path = Path("/proc/self/oom_score_adj")
    with contextlib.suppress(OSError, ValueError):
        if int(path.read_text()) < 0:
            path.write_text("0")


def tail(path: str | None) -> str:
    """The end of a log file, for a reason."""
    if not path:
        return ""
    try:
        with Path(path).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - LOG_TAIL_BYTES))
            return file.read().decode(errors="replace").strip()
    except OSError:
        return ""
