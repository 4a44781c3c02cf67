"""One seed is one history, whatever the process."""

import os
import subprocess
import sys
from pathlib import Path

from mesosphere.simulation.story import Story

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = "from mesosphere.simulation.story import Story; print(Story({seed}).run())"


def digest_of(seed: int, hash_seed: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(seed=seed)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONHASHSEED": hash_seed},
    )
    return done.stdout.strip()


def test_a_seed_tells_the_same_story_under_any_hash_seed() -> None:
    expected = Story(7).run()
    assert digest_of(7, "1") == digest_of(7, "2") == expected


def test_two_seeds_tell_two_stories() -> None:
    assert Story(1).run() != Story(2).run()
