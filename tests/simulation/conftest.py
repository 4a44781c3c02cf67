"""Options of the simulation: which story, how many seeds, or which one, and of how many agents."""

import pytest

from mesosphere.simulation.masters import AGENTS

SEEDS = 200
STORIES = {"cluster": "test_seeds.py", "masters": "test_masters.py"}

FEWER_AGENTS = 12
WIDE_EVERY = 20
"""In a short run most of the masters' stories have fewer agents, and are as much faster."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seed", type=int, default=None, help="replay this seed only")
    parser.addoption("--seeds", type=int, default=SEEDS, help=f"run seeds 1 to N ({SEEDS})")
    parser.addoption("--story", choices=sorted(STORIES), default=None, help="this story only")
    text = f"agents of the masters' story: {AGENTS}, and of most seeds {FEWER_AGENTS} by default"
    parser.addoption("--agents", type=int, default=None, help=text)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    only = metafunc.config.getoption("--seed")
    count = metafunc.config.getoption("--seeds")
    seeds = [only] if only is not None else range(1, count + 1)
    if "agents" in metafunc.fixturenames:
        agents = metafunc.config.getoption("--agents")
        is_short = only is None and count <= SEEDS
        metafunc.parametrize(
            ("seed", "agents"),
            [(seed, agents or agents_of(seed, is_short)) for seed in seeds],
        )
    elif "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", seeds)


def agents_of(seed: int, is_short: bool) -> int:
    """How many agents a seed's masters have, among few seeds or many."""
    return FEWER_AGENTS if is_short and seed % WIDE_EVERY else AGENTS


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    story = config.getoption("--story")
    if story is not None:
        others = [item for item in items if item.path.name != STORIES[story]]
        items[:] = [item for item in items if item.path.name == STORIES[story]]
        config.hook.pytest_deselected(items=others)
