"""The import table of docs/architecture.md, enforced."""

from pathlib import Path

from tests.tidy.tree import imports, python_files

COMPONENTS = ("master", "agent", "marathon", "chronos", "haproxy")
WORLD = ("asyncio", "socket", "os", "time", "random", "threading", "logging", "kazoo", "subprocess")
PACKAGE = "mesosphere"
CONTENT = ("library", "module_utils", "filter_plugins", "inventory_plugins", "doc_fragments")


def ours(module: str) -> str | None:
    """The first folder below src/mesosphere that an import names, None for foreign modules."""
    parts = module.split(".")
    if parts[0] != PACKAGE:
        return None
    return parts[1] if len(parts) > 1 else ""


def may(path: Path) -> tuple[set[str], tuple[str, ...]]:
    """(folders of ours that a file may import, foreign modules that it must not)."""
    parts = path.relative_to("src/mesosphere").parts
    room = parts[0]
    inner = parts[1].removesuffix(".py") if len(parts) > 1 else ""
    if room == "kernel":
        return {"kernel"}, WORLD
    if room == "wire":
        return {"wire", "kernel"}, WORLD
    if room == "framework":
        return {"framework", "wire", "kernel"}, WORLD
    if room == "runtime":
        return {"runtime", "wire", "kernel"}, ()
    if room == "simulation":
        return {"simulation", "kernel", "wire", "framework", *COMPONENTS}, ("socket", "kazoo")
    if room in COMPONENTS:
        own = {room, "wire", "kernel"}
        clients = {"framework"} if room in ("marathon", "chronos") else set()
        if inner in ("core", "views", "api", "flags"):
            return own | clients, WORLD
        if inner == "isolation":
            return {room, "kernel"}, ("asyncio",)
        if inner == "service":
            return own | clients | {"runtime"}, ()
        return own, ()
    return {"kernel", "cli"}, ()


def test_packages_import_only_what_the_table_allows() -> None:
    wrong = []
    for path in python_files("src/mesosphere"):
        allowed, banned = may(path)
        for module, line in imports(path):
            room = ours(module)
            if room is not None and room not in allowed and not _names_the_package(module):
                wrong.append(f"{path}:{line} imports {module}")
            if room is None and module.split(".")[0] in banned:
                wrong.append(f"{path}:{line} imports {module}")
    assert not wrong, "\n".join(wrong)


def _names_the_package(module: str) -> bool:
    # `from mesosphere import __version__`: constants of the package itself are everybody's.
    return module in (PACKAGE, f"{PACKAGE}.__version__", f"{PACKAGE}.MESOS_VERSION")


def test_isolation_does_not_see_the_core() -> None:
    wrong = [
        f"{path}:{line} imports {module}"
        for path in python_files("src/mesosphere/agent/isolation")
        for module, line in imports(path)
        if module.startswith("mesosphere.agent.core")
    ]
    assert not wrong, "\n".join(wrong)


def test_ansible_content_does_not_import_the_daemons() -> None:
    wrong = [
        f"{path}:{line} imports {module}"
        for path in python_files(*CONTENT)
        for module, line in imports(path)
        if ours(module) is not None
    ]
    assert not wrong, "\n".join(wrong)
