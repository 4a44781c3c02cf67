"""The images that an agent keeps, unpacked once and shared by its containers.

Layout: `images/<id>/{rootfs,config.json,used}`, `names/<hash>.json` (what a name meant last),
`staging/` (half-done work, cleared when nobody works), `lock`. A program of its own: it reads one
job as JSON from standard input and writes one answer to standard output.
  {"op": "find", "name", "cached", "registry", "docker_config", "limit_bytes"} -> id, rootfs, config
  {"op": "prune", "keep": [ids], "excluded": [names]}                         -> removed [ids]
Whoever finds holds the store shared, whoever prunes alone; one image is fetched by one at a time.
Source: "Mesos: container image" (apache/mesos src/slave/containerizer/mesos/provisioner).
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mesosphere.agent.isolation.image_layers import ImageError, unpack
from mesosphere.agent.isolation.image_sources import Place, locate, open_image, stamp
from mesosphere.agent.isolation.processes import read_record, write_aside

KEPT_CONFIG = ("Env", "Entrypoint", "Cmd", "WorkingDir", "User", "Labels", "StopSignal")


class ImageStore:
    """One directory of images."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        for name in ("images", "names", "staging", "locks"):
            (directory / name).mkdir(parents=True, exist_ok=True, mode=0o711)

    @contextlib.contextmanager
    def _locked(self, name: str, how: int) -> Iterator[None]:
        descriptor = os.open(self._directory / name, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, how)
            yield
        finally:
            os.close(descriptor)

    def find(self, job: dict[str, Any]) -> dict[str, Any]:
        """An image by name, unpacked if it is not yet. Raises ImageError."""
        place = locate(job["name"], job["registry"])
        key = hashlib.sha256(repr((job["name"], place)).encode()).hexdigest()
        with (
            self._locked("lock", fcntl.LOCK_SH),
            self._locked(f"locks/{key[:2]}", fcntl.LOCK_EX),
        ):
            now = stamp(place)
            known = read_record(self._directory / "names" / f"{key}.json") or {}
            fresh = job["cached"] if place.kind == "registry" else known.get("stamp") == now
            if not (fresh and self._has(known.get("id", ""))):
                known = {"name": job["name"], "id": self._bring(place, job), "stamp": now}
                write_aside(self._directory / "names" / f"{key}.json", known)
            return self._answer(known["id"])

    def _has(self, image: str) -> bool:
        config = self._directory / "images" / image / "config.json"
        return bool(image) and read_record(config) is not None

    def _answer(self, image: str) -> dict[str, Any]:
        home = self._directory / "images" / image
        (home / "used").write_text(f"{time.time():.3f}")
        config = json.loads((home / "config.json").read_text())
        return {"id": image, "rootfs": str(home / "rootfs"), "config": config}

    def _bring(self, place: Place, job: dict[str, Any]) -> str:
        staging = self._directory / "staging" / str(uuid.uuid4())
        rootfs = staging / "image" / "rootfs"
        rootfs.mkdir(parents=True, mode=0o755)
        try:
            found = open_image(place, staging, job["docker_config"])
            if self._has(found.id):
                return found.id
            unpack(found.layers, rootfs, job["limit_bytes"])
            told = found.config.get("config") or {}
            kept = {key: told[key] for key in KEPT_CONFIG if told.get(key)}
            (staging / "image" / "config.json").write_text(json.dumps(kept))
            target = self._directory / "images" / found.id
            if target.exists():
                shutil.rmtree(target)
            (staging / "image").rename(target)
            return found.id
        except OSError as error:
            reason = error.strerror or str(error)
            raise ImageError(f"the image store {self._directory}: {reason}") from error
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def prune(self, keep: list[str], excluded: list[str], asked_at: float) -> list[str]:
        """Remove images that no container has, whose name is not excluded, and that nobody has
        asked for since `asked_at`. Returns their ids."""
        with self._locked("lock", fcntl.LOCK_EX):
            for path in (self._directory / "staging").iterdir():
                shutil.rmtree(path, ignore_errors=True)
            kept = dict.fromkeys(keep)
            names = [(path, read_record(path)) for path in (self._directory / "names").iterdir()]
            for _, record in names:
                if record is not None and record["name"] in excluded:
                    kept[record["id"]] = None
            gone = []
            for home in sorted((self._directory / "images").iterdir()):
                if home.name not in kept and _used_at(home) < asked_at:
                    shutil.rmtree(home, ignore_errors=True)
                    gone.append(home.name)
            for path, record in names:
                if record is None or record["id"] in gone:
                    path.unlink(missing_ok=True)
            return gone


def _used_at(home: Path) -> float:
    try:
        return float((home / "used").read_text())
    except (OSError, ValueError):
        return 0.0


def main(arguments: list[str]) -> int:
    """Do one job of the store in `arguments[0]`."""
    job = json.load(sys.stdin)
    os.umask(0o022)
    try:
        store = ImageStore(Path(arguments[0]))
        if job["op"] == "prune":
            gone = store.prune(job["keep"], job["excluded"], job["asked_at"])
            answer: dict[str, Any] = {"removed": gone}
        else:
            answer = store.find(job)
    except ImageError as error:
        sys.stdout.write(str(error))
        return 1
    except OSError as error:
        sys.stdout.write(f"the image store: {error}")
        return 1
    json.dump(answer, sys.stdout)
    return 0
