"""Options of the simulation: which story, how many seeds, or which one."""

import pytest

SEEDS = 200
STORIES = {"cluster": "test_seeds.py", "masters": "test_masters.py"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seed", type=int, default=None, help="replay this seed only")
    parser.addoption("--seeds", type=int, default=SEEDS, help=f"run seeds 1 to N ({SEEDS})")
    parser.addoption("--story", choices=sorted(STORIES), default=None, help="this story only")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        only = metafunc.config.getoption("--seed")
        count = metafunc.config.getoption("--seeds")
        seeds = [only] if only is not None else range(1, count + 1)
        metafunc.parametrize("seed", seeds)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    story = config.getoption("--story")
    if story is not None:
        others = [item for item in items if item.path.name != STORIES[story]]
        items[:] = [item for item in items if item.path.name == STORIES[story]]
        config.hook.pytest_deselected(items=others)
