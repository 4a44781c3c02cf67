"""One seed is one history, whatever the process."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mesosphere.simulation.masters import MastersStory
from mesosphere.simulation.story import Story

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = "from mesosphere.simulation.{module} import {story}; print({story}({seed}).run())"


def digest_of(story: type, seed: int, hash_seed: str) -> str:
    module = story.__module__.rpartition(".")[2]
    script = SCRIPT.format(module=module, story=story.__name__, seed=seed)
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONHASHSEED": hash_seed},
    )
    return done.stdout.strip()


@pytest.mark.parametrize("story", [Story, MastersStory])
def test_a_seed_tells_the_same_story_under_any_hash_seed(story: Any) -> None:
    expected = story(7).run()
    assert digest_of(story, 7, "1") == digest_of(story, 7, "2") == expected


def test_two_seeds_tell_two_stories() -> None:
    assert Story(1).run() != Story(2).run()
