"""Images made for tests of this host's own programs: no registry is needed."""

import hashlib
import io
import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

PROGRAMS = (
    "/bin/sh", "/bin/cat", "/bin/ls", "/bin/sleep", "/bin/touch", "/bin/pwd", "/usr/bin/env",
)  # fmt: skip


def libraries(program: str) -> list[str]:
    told = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    return [word for line in told.splitlines() for word in line.split() if word.startswith("/")]


def base_layer(extra: dict[str, bytes] | None = None) -> bytes:
    """A tar with a shell and a few programs."""
    paths = dict.fromkeys(PROGRAMS)
    for program in PROGRAMS:
        paths.update(dict.fromkeys(libraries(program)))
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name in ("etc", "tmp", "removed"):
            add(tar, name, kind=tarfile.DIRTYPE)
        for path in paths:
            add(tar, path.lstrip("/"), Path(path).resolve().read_bytes(), mode=0o755)
        for name, data in (extra or {}).items():
            add(tar, name, data)
    return file.getvalue()


def add(
    tar: tarfile.TarFile, name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE,
    link: str = "", mode: int = 0o755,
) -> None:  # fmt: skip
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode, info.size = kind, link, mode, len(data)
    tar.addfile(info, io.BytesIO(data))


def layer(*entries: tuple[Any, ...]) -> bytes:
    """A tar of entries as `add` takes them."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for entry in entries:
            add(tar, *entry)
    return file.getvalue()


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def configuration(layers: list[bytes], config: dict[str, Any]) -> bytes:
    rootfs = {"type": "layers", "diff_ids": [digest(each) for each in layers]}
    return json.dumps({"architecture": "amd64", "config": config, "rootfs": rootfs}).encode()


def write_archive(path: Path, layers: list[bytes], config: dict[str, Any], tag: str) -> None:
    """What `docker save` writes."""
    text = configuration(layers, config)
    names = [f"{position}/layer.tar" for position in range(len(layers))]
    manifest = [{"Config": "config.json", "RepoTags": [tag], "Layers": names}]
    with tarfile.open(path, "w") as tar:
        add(tar, "config.json", text)
        add(tar, "manifest.json", json.dumps(manifest).encode())
        for name, data in zip(names, layers, strict=True):
            add(tar, name, data)


def write_layout(
    directory: Path, packed: list[bytes], layers: list[bytes], config: dict[str, Any], tag: str
) -> None:
    """An OCI layout; `packed` are the layers as they lie there, compressed or not."""
    blobs = directory / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(data: bytes, kind: str) -> dict[str, Any]:
        name = digest(data)
        (blobs / name.removeprefix("sha256:")).write_bytes(data)
        return {"mediaType": kind, "digest": name, "size": len(data)}

    oci = "application/vnd.oci.image"
    manifest = {
        "schemaVersion": 2,
        "config": put(configuration(layers, config), f"{oci}.config.v1+json"),
        "layers": [put(each, f"{oci}.layer.v1.tar+gzip") for each in packed],
    }
    entry = put(json.dumps(manifest).encode(), f"{oci}.manifest.v1+json")
    entry["annotations"] = {"org.opencontainers.image.ref.name": tag}
    (directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
