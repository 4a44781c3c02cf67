"""Masters, many agents and many kinds of frameworks in trouble, one story per seed."""

from mesosphere.simulation.masters import MastersStory
from tests.simulation.replay import told


def test_masters_keep_their_promises(seed: int, agents: int) -> None:
    story = MastersStory(seed, agents)
    with told(story.world, f"--story masters --seed {seed} --agents {agents}"):
        story.run()
