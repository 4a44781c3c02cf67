"""Resources that tasks hold and do not use, lent to others until they are needed.

Two plug points, as in the original. A *resource estimator* says how much may be lent: `fixed` is
what `--modules` or `--oversubscribed_resources` names, always. A *QoS controller* says when what
was lent must go back: `load` ends every task with revocable resources while the host's load is
above its thresholds, `noop` never. Source: "Mesos: oversubscription" (apache/mesos
docs/oversubscription.md, src/slave/resource_estimators/fixed.cpp, qos_controllers/load.cpp).
"""

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from mesosphere.kernel.resources import EMPTY, Resources

FIXED = ("fixed", "org_apache_mesos_FixedResourceEstimator")
NO_ESTIMATOR = ("", "noop", "org_apache_mesos_NoopResourceEstimator")
LOAD = ("load", "org_apache_mesos_LoadQoSController")
NO_CONTROLLER = ("", "noop", "org_apache_mesos_NoopQoSController")


class Estimator(Protocol):
    """Says what may be lent in all, given what is lent now."""

    def oversubscribable(self, lent: Resources) -> Resources:
        """Revocable resources beside those that are lent."""


class Controller(Protocol):
    """Says when tasks on lent resources must go."""

    def must_correct(self, gauges: Mapping[str, float]) -> bool:
        """Whether the host is too busy, by its gauges (`system/load_5min`, ...)."""


class FixedEstimator(msgspec.Struct, frozen=True):
    """Always the same amount in all."""

    total: Resources = EMPTY

    def oversubscribable(self, lent: Resources) -> Resources:
        """See Estimator."""
        return self.total - lent if self.total.contains(lent) else EMPTY


class LoadController(msgspec.Struct, frozen=True):
    """Thresholds of the load averages; None: not looked at."""

    load_5min: float | None = None
    load_15min: float | None = None

    def must_correct(self, gauges: Mapping[str, float]) -> bool:
        """See Controller."""
        pairs = ((self.load_5min, "system/load_5min"), (self.load_15min, "system/load_15min"))
        return any(most is not None and gauges.get(name, 0.0) > most for most, name in pairs)


class NoController(msgspec.Struct, frozen=True):
    """Nothing is ever taken back."""

    def must_correct(self, gauges: Mapping[str, float]) -> bool:
        """See Controller."""
        return False


def module_parameters(modules: Any, names: tuple[str, ...]) -> dict[str, str]:
    """The parameters that `--modules` gives to one of these modules. Raises ValueError."""
    try:
        for library in modules.get("libraries", ()):
            for module in library.get("modules", ()):
                if module.get("name") in names:
                    pairs = module.get("parameters", ())
                    return {str(each["key"]): str(each["value"]) for each in pairs}
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"malformed: {error!r}") from error
    return {}
