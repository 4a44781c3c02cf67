"""What this agent offers, by its flags and by what is found: resources, attributes, domain, loans.

Source: "Mesos: resources and attributes" (apache/mesos docs/attributes-resources.md).
"""

import json
from typing import Any

import msgspec

from mesosphere.agent.core.oversubscription import (
    FIXED,
    LOAD,
    NO_CONTROLLER,
    NO_ESTIMATOR,
    Controller,
    FixedEstimator,
    LoadController,
    NoController,
    module_parameters,
)
from mesosphere.agent.isolation import gpus, probe
from mesosphere.kernel.attributes import AttributesError, parse_attributes
from mesosphere.kernel.flags import Settings, UsageError
from mesosphere.kernel.resources import EMPTY, Resources, ResourcesError
from mesosphere.wire.mesos.resources_codec import parse as parse_resources


def json_object(settings: Settings, name: str) -> dict[str, Any] | None:
    """A flag that holds a JSON object; None if it is not given. Raises UsageError."""
    text = getattr(settings, name)
    if not text:
        return None
    try:
        value = json.loads(text)
    except ValueError as error:
        raise UsageError(f"--{name}: {error}") from error
    if not isinstance(value, dict):
        raise UsageError(f"--{name}: a JSON object is needed, not {text}")
    return value


def resources(settings: Settings, work_dir: str) -> Resources:
    """`--resources`, completed by what is detected."""
    role = settings.default_role
    try:
        given = parse_resources(settings.resources or "", role)
        names = given.kinds()
        detected = {**probe.detect_resources(work_dir), **detected_gpus(settings)}
        text = ";".join(f"{name}:{value}" for name, value in detected.items() if name not in names)
        found = given + parse_resources(text, role)
        _check_gpus(settings, found)
        return found + oversubscribed(settings)
    except ResourcesError as error:
        raise UsageError(f"--resources: {error}") from error


def gpu_devices(settings: Settings) -> tuple[int, ...]:
    """The GPUs that tasks may have: with gpu/nvidia in `--isolation`, all or those named."""
    if "gpu/nvidia" not in settings.isolation:
        return ()
    try:
        named = tuple(int(number) for number in settings.nvidia_gpu_devices)
    except ValueError as error:
        raise UsageError(f"--nvidia_gpu_devices: {error}") from error
    there = tuple(gpus.find_devices())
    missing = [str(number) for number in named if number not in there]
    if missing:
        raise UsageError(f"--nvidia_gpu_devices: there is no device {', '.join(missing)}")
    return named or there


def detected_gpus(settings: Settings) -> dict[str, str]:
    """The resource `gpus`, where there are any."""
    count = len(gpu_devices(settings))
    return {"gpus": str(count)} if count else {}


def _check_gpus(settings: Settings, found: Resources) -> None:
    asked, there = found.scalar("gpus") // 1000, len(gpu_devices(settings))
    if asked > there:
        raise UsageError(
            f"--resources: {asked} gpus, and {there} can be given to tasks (gpu/nvidia in"
            " --isolation, and device nodes /dev/nvidia<n>)"
        )


def oversubscribed(settings: Settings) -> Resources:
    """What the fixed estimator lends, as revocable resources."""
    name = settings.resource_estimator or ""
    if name in NO_ESTIMATOR:
        return EMPTY
    if name not in FIXED:
        raise UsageError(f"--resource_estimator: '{name}': use fixed or noop")
    text = settings.oversubscribed_resources or _parameters(settings, FIXED).get("resources", "")
    lent = parse_resources(text, "*")
    estimator = FixedEstimator(
        Resources(
            (msgspec.structs.replace(identity, is_revocable=True), amount)
            for identity, amount in lent
        )
    )
    return estimator.oversubscribable(EMPTY)


def qos_controller(settings: Settings) -> Controller:
    """Who takes lent resources back."""
    name = settings.qos_controller or ""
    if name in NO_CONTROLLER:
        return NoController()
    if name not in LOAD:
        raise UsageError(f"--qos_controller: '{name}': use load or noop")
    given = _parameters(settings, LOAD)
    try:
        limits = {
            window: float(given[key])
            for window in ("load_5min", "load_15min")
            if (key := window.replace("load_", "load_threshold_")) in given
        }
    except ValueError as error:
        raise UsageError(f"--modules: {error}") from error
    return LoadController(**limits)


def _parameters(settings: Settings, names: tuple[str, ...]) -> dict[str, str]:
    try:
        return module_parameters(json_object(settings, "modules") or {}, names)
    except ValueError as error:
        raise UsageError(f"--modules: {error}") from error


def attributes(settings: Settings) -> tuple[Any, ...]:
    """`--attributes`."""
    try:
        return parse_attributes(settings.attributes or "")
    except AttributesError as error:
        raise UsageError(f"--attributes: {error}") from error
