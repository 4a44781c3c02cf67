"""pymesos as it was published, on the path of this process.

Its sources and those of what it needs are fetched by their hashes and unpacked: the parser that it
uses has a C part that current Pythons can't compile, and a Python part that it falls back to.
"""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements" / "foreign.txt"


def add_pymesos(directory: Path) -> None:
    """Make `import pymesos` work. Needs a package index."""
    subprocess.run(
        [
            sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
            "--no-deps", "--require-hashes", "--dest", str(directory), "-r", str(LOCK),
        ],
        check=True,
    )  # fmt: skip
    for archive in sorted(directory.glob("*.tar.gz")):
        shutil.unpack_archive(archive, directory)
        sys.path.append(str(directory / archive.name.removesuffix(".tar.gz")))
    sys.path += [str(wheel) for wheel in sorted(directory.glob("*.whl"))]
