"""What this host has and can do: resources by the original's rules, and which isolation works here.

Everything found comes with the reason, so that one log line at the start explains the agent's
choice. Source: "Mesos: resources", the agent's default detection (apache/mesos
src/slave/containerizer/containerizer.cpp), and trying the OCI runtime for real.
"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

GIB = 1024 * 1024 * 1024
MIB = 1024 * 1024
TRIAL_TIMEOUT_S = 20.0
RUNTIMES = ("crun", "runc")
# By bit number, as the kernel counts them.
CAPABILITIES = (
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID",
    "CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK",
    "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG",
    "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
)  # fmt: skip
CONTROLLERS_NEEDED = ("cpu", "memory", "pids")


def detect_resources(work_dir: str) -> dict[str, str]:
    """Default resources by name, as text of `--resources` ("cpus" -> "2", "ports" -> "[..]")."""
    return {
        "cpus": str(_online_cpus()),
        "mem": str(memory_to_offer(_total_memory()) // MIB),
        "disk": str(disk_to_offer(_total_disk(work_dir)) // MIB),
        "ports": "[31000-32000]",
    }


def memory_to_offer(total_bytes: int) -> int:
    """All but 1 GB, or half of a small host's; the host itself needs the rest."""
    return total_bytes - GIB if total_bytes >= 2 * GIB else total_bytes // 2


def disk_to_offer(total_bytes: int) -> int:
    """All but 5 GB, or half of a small file system."""
    return total_bytes - 5 * GIB if total_bytes >= 10 * GIB else total_bytes // 2


def _online_cpus() -> int:
    try:
        return max(1, len(os.sched_getaffinity(0)))
    except OSError:
        return 1


def _total_memory() -> int:
    try:
        pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 2 * GIB
    total = pages * size
    limit = _own_memory_limit()
    return min(total, limit) if limit is not None else total


def _own_memory_limit() -> int | None:
    # An agent that lives in a container must not offer the memory of the whole host.
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            text = Path(path).read_text().strip()
        except OSError:
            continue
        if text.isdigit():
            return int(text)
    return None


def _total_disk(work_dir: str) -> int:
    path = Path(work_dir)
    while not path.exists() and path != path.parent:
        path = path.parent
    try:
        return shutil.disk_usage(path).total
    except OSError:
        return 15 * GIB


# --- isolation ------------------------------------------------------------------------------


def find_control_groups(mounts: str | None = None) -> dict[str, Any]:
    """{"version": 0, 1 or 2, "mounts": {controller: directory}}; hybrid hosts count as 1."""
    text = Path("/proc/mounts").read_text() if mounts is None else mounts
    found: dict[str, str] = {}
    unified = ""
    for line in text.splitlines():
        fields = line.split()
        if len(fields) < 4:
            continue
        _, place, kind, options = fields[:4]
        if kind == "cgroup":
            for option in options.split(","):
                if option in ("cpu", "cpuacct", "memory", "pids", "freezer", "cpuset", "devices"):
                    found.setdefault(option, place)
        elif kind == "cgroup2" and not unified:
            unified = place
    if found:
        return {"version": 1, "mounts": found}
    if unified:
        return {"version": 2, "mounts": {"unified": unified}}
    return {"version": 0, "mounts": {}}


def held_capabilities() -> tuple[str, ...]:
    """What this process may hand on; a container may be missing some of root's."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            bits = int(line.split()[1], 16)
            return tuple(name for bit, name in enumerate(CAPABILITIES) if bits >> bit & 1)
    return ()


def find_runtime(wanted: str = "") -> str:
    """The OCI runtime's path: the wanted one, else crun, else runc; "" when there is none."""
    path = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin:/usr/bin"
    for name in (wanted,) if wanted else RUNTIMES:
        found = shutil.which(name, path=path)
        if found is not None:
            return found
    return ""


def why_not_oci(runtime: str, groups: dict[str, Any]) -> str:
    """The reason why OCI containers can't work here; "" if a trial is worth making."""
    if os.geteuid() != 0:
        return "the agent is not root"
    if not runtime:
        return "no OCI runtime (runc or crun) is installed"
    if groups["version"] == 0:
        return "no control groups are mounted"
    if groups["version"] == 1:
        missing = [name for name in CONTROLLERS_NEEDED if name not in groups["mounts"]]
        if missing:
            return f"the control group controllers {', '.join(missing)} are not mounted"
    for place in groups["mounts"].values():
        if not os.access(place, os.W_OK):
            return f"{place} is read-only"
    return _why_no_mount_namespace()


def _why_no_mount_namespace() -> str:
    program = shutil.which("unshare") or "/usr/bin/unshare"
    try:
        done = subprocess.run(
            [program, "--mount", "mount", "--rbind", "/", "/mnt"],
            capture_output=True, timeout=TRIAL_TIMEOUT_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"no mount namespace can be made: {error}"
    if done.returncode != 0:
        return f"no mount namespace can be made: {done.stderr.decode(errors='replace').strip()}"
    return ""


def runtime_version(runtime: str) -> str:
    """The first line of `<runtime> --version`, or why there is none."""
    try:
        done = subprocess.run(
            [runtime, "--version"], capture_output=True, timeout=TRIAL_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    lines = done.stdout.decode(errors="replace").splitlines()
    return lines[0] if lines else ""


def why_no_overlay(directory: Path) -> str:
    """Tries to mount an overlay below `directory`; "" if that works."""
    trial = directory / f".overlay-{os.getpid()}"
    places = {name: trial / name for name in ("lower", "upper", "work", "merged")}
    options = "lowerdir={lower},upperdir={upper},workdir={work}".format(**places)
    try:
        for place in places.values():
            place.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            ["unshare", "--mount", "mount", "-t", "overlay", "overlay", "-o", options,
             str(places["merged"])],
            capture_output=True, timeout=TRIAL_TIMEOUT_S, check=False,
        )  # fmt: skip
        return done.stderr.decode(errors="replace").strip() if done.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    finally:
        shutil.rmtree(trial, ignore_errors=True)


def missing_plugins(path: str, names: tuple[str, ...]) -> list[str]:
    """The CNI plugins that none of the directories has (`path` as in PATH)."""
    return [name for name in names if shutil.which(name, path=path) is None]
