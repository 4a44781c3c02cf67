"""Whole clusters in trouble, one per seed: every promise holds, and all heals in the end."""

from mesosphere.simulation.story import Story
from tests.simulation.replay import told


def test_a_cluster_keeps_its_promises(seed: int) -> None:
    story = Story(seed)
    with told(story.world, f"--story cluster --seed {seed}"):
        story.run()
