"""Whole clusters in trouble, one per seed: every promise holds, and all heals in the end."""

import pytest

from mesosphere.simulation.story import Story


def test_a_cluster_keeps_its_promises(seed: int) -> None:
    story = Story(seed)
    try:
        story.run()
    except AssertionError as error:
        journal = "\n".join(list(story.world.journal)[-60:])
        pytest.fail(
            f"seed {seed}: {error}\n{journal}\nreplay: script/test simulation --seed {seed}",
            pytrace=False,
        )
