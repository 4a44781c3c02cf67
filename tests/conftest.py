"""What every test gets."""

from hypothesis import HealthCheck, settings

# A machine that is shared with others is slow at times; a deadline would test the machine.
settings.register_profile(
    "shared", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
settings.load_profile("shared")
