"""Where images come from: an OCI layout, an archive of `docker save`, or a registry by skopeo.

Names are those of frameworks: "nginx", "host:5000/team/app:1.2", or with a transport in front,
"oci:/path[:tag]", "docker-archive:/path.tar". With a directory as `--docker_registry`, the
original's local puller, a name is the file or the layout of that name below it.
Source: the OCI image specification; "Mesos: container image"; containers-transports(5).
"""

import hashlib
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

from mesosphere.agent.isolation.image_layers import ImageError, Layer

DOCUMENT_LIMIT_BYTES = 16 * 1024 * 1024
LAYERS_MOST = 512
PULL_TIMEOUT_S = 3600.0
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "ppc64le": "ppc64le", "s390x": "s390x"}
REF_NAME = "org.opencontainers.image.ref.name"
INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)


class Found(NamedTuple):
    """An image opened for unpacking: its id (hex), its configuration, its layers in order."""

    id: str
    config: dict[str, Any]
    layers: list[Layer]


class Place(NamedTuple):
    """Where an image lies: `kind` "oci", "docker-archive" or "registry"; a path or a reference."""

    kind: str
    path: str
    tag: str = ""


def locate(name: str, registry: str) -> Place:
    """What a name means, given `--docker_registry`. Raises ImageError."""
    if not name or any(char.isspace() or ord(char) < 32 for char in name) or len(name) > 1024:
        raise ImageError(f"'{name}' is no name of an image")
    kind, _, rest = name.partition(":")
    if kind in ("oci", "docker-archive") and rest.startswith("/"):
        path, _, tag = rest.partition(":")
        return Place(kind, path, tag)
    name = name.removeprefix("docker://")
    local = registry.removeprefix("file://")
    if local.startswith("/"):
        return _below(Path(local), name)
    return Place("registry", _reference(name, registry))


def _below(directory: Path, name: str) -> Place:
    """The archive or layout of a name in a directory: with its tag in the file's name, or not."""
    if ".." in name.split("/") or name.startswith("/"):
        raise ImageError(f"'{name}' leads out of the directory of images")
    bare, tag = _split_tag(name)
    for candidate in (name, f"{bare}:{tag or 'latest'}", bare):
        archive = directory / f"{candidate}.tar"
        if archive.is_file():
            return Place("docker-archive", str(archive), "" if candidate != bare else tag)
        layout = directory / candidate
        if (layout / "oci-layout").is_file():
            return Place("oci", str(layout), "" if candidate != bare else tag)
    raise ImageError(f"{directory} has neither {name}.tar nor an OCI layout {name}")


def _split_tag(name: str) -> tuple[str, str]:
    head, slash, last = name.rpartition("/")
    bare, _, tag = last.partition("@")[0].partition(":")
    return head + slash + bare, tag


def _reference(name: str, registry: str) -> str:
    first = name.partition("/")[0]
    qualified = "/" in name and ("." in first or ":" in first or first == "localhost")
    server = registry.removeprefix("https://").removeprefix("http://").rstrip("/")
    if server in ("", "registry-1.docker.io"):
        server = "docker.io"
    if not qualified:
        name = f"{server}/{name}"
    return name if _split_tag(name)[1] or "@" in name else f"{name}:latest"


def stamp(place: Place) -> str:
    """What changes when a local image is replaced; "" for a registry."""
    if place.kind == "registry":
        return ""
    path = Path(place.path)
    path = path / "index.json" if place.kind == "oci" else path
    try:
        facts = path.stat()
    except OSError as error:
        raise ImageError(f"{path}: {error.strerror}") from error
    return f"{facts.st_mtime_ns}:{facts.st_size}"


def open_image(place: Place, staging: Path, docker_config: str) -> Found:
    """Open an image; from a registry it is brought to `staging` first. Raises ImageError."""
    if place.kind == "docker-archive":
        return open_archive(Path(place.path), place.tag)
    if place.kind == "oci":
        return open_layout(Path(place.path), place.tag)
    pull(place.path, staging / "layout", docker_config)
    return open_layout(staging / "layout", "pulled")


def pull(reference: str, layout: Path, docker_config: str) -> None:
    """Copy an image from its registry to an OCI layout with skopeo. Raises ImageError."""
    program = shutil.which("skopeo", path=os.environ.get("PATH", "") + ":/usr/local/bin:/usr/bin")
    if program is None:
        raise ImageError(f"{reference} is in a registry, and skopeo is not installed")
    command = [program, "copy", "--quiet", f"docker://{reference}", f"oci:{layout}:pulled"]
    if docker_config:
        command[2:2] = ["--src-authfile", docker_config]
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=PULL_TIMEOUT_S, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ImageError(f"{reference} can't be pulled: {error}") from error
    if done.returncode != 0:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise ImageError(f"{reference} can't be pulled: {lines[-1] if lines else 'no reason'}")


# --- OCI layouts ----------------------------------------------------------------------------


def open_layout(layout: Path, tag: str) -> Found:
    """Open an image of an OCI layout. Raises ImageError."""
    index = _document(layout / "index.json")
    chosen = _choose(layout, index.get("manifests") or [], tag)
    manifest = _blob_document(layout, chosen)
    config_at = manifest.get("config") or {}
    config = _blob_document(layout, config_at)
    descriptions = manifest.get("layers") or []
    files = [(each["digest"], _blob(layout, each).open("rb")) for each in descriptions]
    return Found(_hex(config_at["digest"]), config, _layers(config, files))


def _choose(layout: Path, manifests: list[dict[str, Any]], tag: str) -> dict[str, Any]:
    named = [each for each in manifests if (each.get("annotations") or {}).get(REF_NAME) == tag]
    candidates = named if tag else manifests
    if not candidates and len(manifests) == 1:
        candidates = manifests
    if not candidates:
        raise ImageError(f"{layout} has no image '{tag or 'latest'}'")
    chosen = candidates[0]
    if len(candidates) > 1:
        chosen = _for_this_machine(candidates, layout)
    if chosen.get("mediaType") in INDEXES:
        inner = _blob_document(layout, chosen).get("manifests") or []
        chosen = _for_this_machine(inner, layout)
    return chosen


def _for_this_machine(manifests: list[dict[str, Any]], layout: Path) -> dict[str, Any]:
    wanted = ARCHITECTURES.get(os.uname().machine, os.uname().machine)
    for each in manifests:
        platform = each.get("platform") or {}
        if platform.get("architecture") == wanted and platform.get("os", "linux") == "linux":
            return each
    raise ImageError(f"{layout} has no image for linux/{wanted}")


def _blob(layout: Path, description: dict[str, Any]) -> Path:
    path = layout / "blobs" / "sha256" / _hex(str(description.get("digest")))
    if not path.is_file():
        raise ImageError(f"{layout} lacks the blob {description.get('digest')}")
    return path


def _blob_document(layout: Path, description: dict[str, Any]) -> dict[str, Any]:
    return _document(_blob(layout, description))


def _document(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > DOCUMENT_LIMIT_BYTES:
            raise ImageError(f"{path} is too long")
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise ImageError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise ImageError(f"{path} is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise ImageError(f"{path} is no JSON object")
    return value


def _hex(digest: str) -> str:
    kind, _, value = digest.partition(":")
    if (
        kind != "sha256"
        or len(value) != 64
        or any(char not in "0123456789abcdef" for char in value)
    ):
        raise ImageError(f"'{digest}' is no sha256 digest")
    return value


def _layers(config: dict[str, Any], files: Sequence[tuple[str, IO[bytes]]]) -> list[Layer]:
    if len(files) > LAYERS_MOST:
        raise ImageError(f"the image has more than {LAYERS_MOST} layers")
    digests = (config.get("rootfs") or {}).get("diff_ids") or []
    if digests and len(digests) != len(files):
        raise ImageError("the image's configuration names other layers than it has")
    named = digests or [""] * len(files)
    return [Layer(name, file, digest) for (name, file), digest in zip(files, named, strict=True)]


# --- archives of docker save ----------------------------------------------------------------


def open_archive(path: Path, tag: str) -> Found:
    """Open an image of an archive; the first one unless `tag` says which. Raises ImageError."""
    try:
        tar = tarfile.open(path, "r:*")  # noqa: SIM115 - read until the image is unpacked
        entries = json.loads(_member(tar, "manifest.json").read(DOCUMENT_LIMIT_BYTES))
        entry = _entry(entries, tag, path)
        text = _member(tar, entry["Config"]).read(DOCUMENT_LIMIT_BYTES)
        files = [(name, _member(tar, name)) for name in entry["Layers"]]
        config = json.loads(text)
    except OSError as error:
        raise ImageError(f"{path}: {error.strerror or error}") from error
    except (tarfile.TarError, ValueError, KeyError, TypeError, EOFError) as error:
        raise ImageError(f"{path} is no archive of docker save: {error!r}") from error
    return Found(hashlib.sha256(text).hexdigest(), config, _layers(config, files))


def _entry(entries: list[dict[str, Any]], tag: str, path: Path) -> dict[str, Any]:
    for entry in entries:
        names = entry.get("RepoTags") or []
        if not tag or any(name.endswith(f":{tag}") for name in names):
            return entry
    if len(entries) == 1:
        return entries[0]
    raise ImageError(f"{path} has no image of the tag '{tag}'")


def _member(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    file = tar.extractfile(name)
    if file is None:
        raise ImageError(f"the archive's '{name}' is no file")
    return file
