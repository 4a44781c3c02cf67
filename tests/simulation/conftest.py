"""Options of the simulation: how many seeds, or which one."""

import pytest

SEEDS = 200


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seed", type=int, default=None, help="replay this seed only")
    parser.addoption("--seeds", type=int, default=SEEDS, help=f"run seeds 1 to N ({SEEDS})")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        only = metafunc.config.getoption("--seed")
        count = metafunc.config.getoption("--seeds")
        seeds = [only] if only is not None else range(1, count + 1)
        metafunc.parametrize("seed", seeds)
