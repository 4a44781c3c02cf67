"""The `mesosphere` command: `mesosphere <component> --flag=value ...`."""

import importlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence

from mesosphere import MESOS_VERSION, __version__
from mesosphere.kernel.exit_codes import ExitCode
from mesosphere.kernel.flags import HelpRequested, UsageError

COMPONENTS: Mapping[str, tuple[str, str]] = {
    "master": ("mesosphere.master.service", "offers the resources of agents to frameworks"),
    "agent": ("mesosphere.agent.service", "runs tasks in containers on this host"),
    "marathon": ("mesosphere.marathon.service", "keeps long-running apps running"),
    "chronos": ("mesosphere.chronos.service", "runs jobs on a schedule or after other jobs"),
    "haproxy": ("mesosphere.haproxy.service", "keeps HAProxy in step with Marathon's apps"),
}


def usage() -> str:
    """The text of `mesosphere --help`."""
    lines = ["Usage: mesosphere COMPONENT [--flag=value ...]", "", "Components:"]
    lines += [f"  {name:<10}{what}" for name, (_, what) in COMPONENTS.items()]
    lines += ["", "mesosphere COMPONENT --help lists its flags; mesosphere --version the version."]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a component in the foreground; its exit code is in `kernel.exit_codes`."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("--help", "-h", "help"):
        print(usage())
        return int(ExitCode.CLEAN if words else ExitCode.USAGE)
    if words[0] == "--version":
        print(f"mesosphere {__version__} (speaks Mesos {MESOS_VERSION})")
        return int(ExitCode.CLEAN)
    if words[0] not in COMPONENTS:
        print(f"mesosphere: unknown component '{words[0]}'\n\n{usage()}", file=sys.stderr)
        return int(ExitCode.USAGE)
    # A component is imported only when it is asked for: an agent has no use for the allocator.
    run: Callable[[Sequence[str], Mapping[str, str]], int] = importlib.import_module(
        COMPONENTS[words[0]][0]
    ).main
    try:
        return run(words[1:], os.environ)
    except HelpRequested as page:
        print(page)
        return int(ExitCode.CLEAN)
    except UsageError as error:
        print(f"mesosphere {words[0]}: {error}", file=sys.stderr)
        return int(ExitCode.USAGE)


if __name__ == "__main__":
    sys.exit(main())
