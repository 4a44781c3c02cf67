#!/usr/bin/python
"""Ansible module: a release of the daemons is installed on a host, and is the active one."""

DOCUMENTATION = r"""
module: release
short_description: Install a release of the daemons, switch to it, keep some old ones
description:
  - V(installed) makes a virtual environment of an archive of wheels, beside those that run. It
    needs no package index, checks every wheel against its hash, and starts the program once
    before it calls the release complete. What a run that died has left behind is made anew.
  - V(active) makes C(current) point to a release and C(previous) to the one before, each in one
    step, and removes the oldest ones. None is removed that is current, previous, or used by a
    process.
version_added: "0.2.0"
options:
  id:
    description: The release.
    type: str
    required: true
  root:
    description: Where releases live on the host.
    type: path
    default: /opt/mesosphere
  state:
    description: Whether it is there, or there and the active one.
    type: str
    choices: [installed, active]
    default: active
  archive:
    description:
      - Path on the host of the archive that C(script/release) has built; not needed for a release
        that is there.
    type: path
  checksum:
    description: The archive's SHA-256; it is not checked if not given.
    type: str
  python:
    description: The interpreter of the virtual environment.
    type: str
    default: python3
  keep:
    description: How many releases stay, the active one included.
    type: int
    default: 3
  command:
    description: Where people look for the program; a link to that of the active release.
    type: path
attributes:
  check_mode:
    support: full
    description: Says what would be installed, switched and removed.
  diff_mode:
    support: full
    description: Shows both links and the list of releases before and after.
author:
  - Mesosphere maintainers
"""

EXAMPLES = r"""
- name: Install a release beside the one that runs
  release:
    id: 0123456789abcdef
    state: installed
    archive: /var/tmp/mesosphere-0123456789abcdef.tar.gz

- name: Switch to it
  release:
    id: 0123456789abcdef
    command: /usr/local/bin/mesosphere
    keep: 3
"""

RETURN = r"""
current:
  description: The active release; empty if there is none.
  type: str
  returned: always
previous:
  description: The one to go back to; empty if there is none.
  type: str
  returned: always
releases:
  description: Every complete release on the host.
  type: list
  elements: str
  returned: always
"""

import hashlib
import os
import re
import shutil
import tarfile
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.mesosphere_http import outcome

ARGUMENTS = {
    "id": {"type": "str", "required": True},
    "root": {"type": "path", "default": "/opt/mesosphere"},
    "state": {"type": "str", "choices": ["installed", "active"], "default": "active"},
    "archive": {"type": "path"},
    "checksum": {"type": "str"},
    "python": {"type": "str", "default": "python3"},
    "keep": {"type": "int", "default": 3},
    "command": {"type": "path"},
}
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
UNPACKED_LIMIT_BYTES = 4 * 1024**3
COMPLETE = ".complete"


class ReleaseError(Exception):
    """What is wrong with a release. One sentence."""


class Releases:
    """The releases below one directory."""

    def __init__(self, root):
        self.root = Path(root)
        self.home = self.root / "releases"

    def complete(self):
        """Ids of those that can be used, the newest first."""
        found = [each.parent for each in self.home.glob(f"*/{COMPLETE}")]
        dated = sorted(found, key=lambda each: each.stat().st_mtime, reverse=True)
        return [each.name for each in dated]

    def pointed(self, name):
        """Id of the release that a link names; empty if it names none."""
        try:
            return Path(os.readlink(self.root / name)).name
        except OSError:
            return ""

    def point(self, name, release):
        """Make a link name a release, in one step."""
        link(self.root / name, self.home / release)


def link(path, target):
    """Make a link in one step, whatever is there now. Raises OSError."""
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    beside.symlink_to(target)
    beside.replace(path)


def in_use(releases, processes="/proc"):
    """Those of some releases, by path, that a process was started from."""
    found = set()
    for command in Path(processes).glob("[0-9]*/cmdline"):
        try:
            words = command.read_bytes().decode("utf-8", "replace")
        except OSError:
            continue
        found.update(each for each in releases if f"{each}/" in words)
    return found


def superfluous(known, kept, keep):
    """Which releases go, `known` being the newest first."""
    others = [each for each in known if each not in kept]
    return others[max(keep - len(kept), 0) :]


# --- installing -----------------------------------------------------------------------------------


def check_archive(path, checksum):
    """Raises ReleaseError if it is not there or another one."""
    if not path or not Path(path).is_file():
        raise ReleaseError(f"there is no archive {path or ''}".strip() + " to install it from")
    if checksum:
        digest = hashlib.sha256()
        with Path(path).open("rb") as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
        if digest.hexdigest() != checksum.removeprefix("sha256:").lower():
            raise ReleaseError(f"{path} has the checksum {digest.hexdigest()}, not {checksum}")


def unpack(path, directory):
    """Unpack files and directories that stay inside. Raises ReleaseError."""
    try:
        with tarfile.open(path) as archive:
            members = archive.getmembers()
            for each in members:
                inside = not each.name.startswith("/") and ".." not in each.name.split("/")
                if not (inside and (each.isfile() or each.isdir())):
                    raise ReleaseError(f"{path} holds {each.name!r}, which is no file of a release")
            if sum(each.size for each in members) > UNPACKED_LIMIT_BYTES:
                raise ReleaseError(f"{path} unpacks to more than {UNPACKED_LIMIT_BYTES} bytes")
            # Python 3.14's way, where there is one already; the names are checked above anyhow.
            archive.extraction_filter = getattr(tarfile, "data_filter", lambda each, place: each)
            archive.extractall(directory, members)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ReleaseError(f"{path} can't be unpacked: {error}") from error


def install(module, directory, archive, python):
    """Make the virtual environment, and prove that its program starts. Raises ReleaseError."""

    def run(*command):
        code, out, err = module.run_command([str(each) for each in command], cwd=str(directory))
        if code != 0:
            said = "\n".join((out + err).strip().splitlines()[-15:])
            raise ReleaseError(f"{' '.join(str(each) for each in command)} failed: {said}")

    shutil.rmtree(directory, ignore_errors=True)
    wheelhouse = directory / "wheelhouse"
    wheelhouse.mkdir(parents=True, mode=0o755)
    unpack(archive, wheelhouse)
    own = sorted((wheelhouse / "wheels").glob("mesosphere-*.whl"))
    if len(own) != 1:
        raise ReleaseError(f"{archive} holds {len(own)} wheels of the daemons, not one")
    run(python, "-m", "venv", directory)
    pip = ("bin/python", "-m", "pip", "install", "--quiet", "--no-index", "--no-compile")
    pip += ("--disable-pip-version-check", "--no-cache-dir")
    locked = ("--require-hashes", "--find-links", wheelhouse / "wheels")
    run(*pip, *locked, "-r", wheelhouse / "requirements.txt")
    run(*pip, "--no-deps", own[0])
    # Some packages ship files for other versions of Python; those that count are tried below.
    module.run_command(["bin/python", "-m", "compileall", "-q", "lib"], cwd=str(directory))
    run("bin/mesosphere", "--version")
    shutil.rmtree(wheelhouse)
    (directory / COMPLETE).touch()


def run(module):
    """Bring the release about; the module's result. Raises ReleaseError."""
    given = module.params
    wanted, releases = given["id"], Releases(given["root"])
    if not ID.fullmatch(wanted):
        raise ReleaseError(f"{wanted!r} is no id of a release")
    known = releases.complete()
    links = {name: releases.pointed(name) for name in ("current", "previous")}
    after, found = dict(links), {}
    if wanted not in known:
        # In check mode the archive that an earlier task would bring is not there yet.
        if not module.check_mode:
            check_archive(given["archive"], given["checksum"])
            install(module, releases.home / wanted, given["archive"], given["python"])
        known = [wanted, *known]
        found["installed"] = (None, wanted)
    if given["state"] == "active":
        if links["current"] not in ("", wanted):
            after["previous"] = links["current"]
        after["current"] = wanted
        gone, changed = activate(module, releases, after, known)
        known = [each for each in known if each not in gone]
        found.update({f"release {each}": ("there", None) for each in gone})
        found.update(changed)
    for name, before in links.items():
        if before != after[name]:
            found[name] = (before or None, after[name])
    return {**outcome(found, given["root"]), **after, "releases": sorted(known)}


def activate(module, releases, links, known):
    """Switch the links and remove old releases; (those that go, {path: (before, after)})."""
    given, found = module.params, {}
    command = Path(given["command"]) if given["command"] else None
    program = releases.root / "current" / "bin" / "mesosphere"
    if command is not None:
        named = os.readlink(command) if command.is_symlink() else None
        if named is None and command.exists():
            raise ReleaseError(f"{command} is there and no link; move it away")
        if named != str(program):
            found["command"] = (named, str(program))
    gone = superfluous(known, {each for each in links.values() if each}, given["keep"])
    if gone:
        used = in_use([str(releases.home / each) for each in gone])
        gone = [each for each in gone if str(releases.home / each) not in used]
    if module.check_mode:
        return gone, found
    # The one to go back to is known before it is left.
    for name in ("previous", "current"):
        if links[name] and releases.pointed(name) != links[name]:
            releases.point(name, links[name])
    if "command" in found:
        link(command, program)
    for each in gone:
        (releases.home / each / COMPLETE).unlink(missing_ok=True)
        shutil.rmtree(releases.home / each)
    return gone, found


def main():
    """Read the arguments, act, report."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        result = run(module)
    except (ReleaseError, OSError) as error:
        module.fail_json(msg=f"release {module.params['id']}: {error}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
