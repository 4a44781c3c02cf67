"""What a master says of itself: health, version, flags, metrics, gauges."""

from mesosphere.kernel import verbosity
from mesosphere.kernel.http import Request, Response, text_response
from mesosphere.master.api.answers import Answer, json_answer
from mesosphere.master.core.machine import MasterMachine
from mesosphere.master.views import legacy, metrics


def show_health(master: MasterMachine, now: float, request: Request) -> Answer:
    """Liveness."""
    return Response(200)


def show_version(master: MasterMachine, now: float, request: Request) -> Answer:
    """Version."""
    return json_answer(request, legacy.version())


def show_flags(master: MasterMachine, now: float, request: Request) -> Answer:
    """Flags as text."""
    return json_answer(request, {"flags": master.config.flags})


def show_snapshot(master: MasterMachine, now: float, request: Request) -> Answer:
    """Metrics as one flat object."""
    return json_answer(request, metrics.snapshot(master))


def show_prometheus(master: MasterMachine, now: float, request: Request) -> Answer:
    """Metrics for Prometheus."""
    return text_response(200, metrics.prometheus(master))


def toggle_logging(master: MasterMachine, now: float, request: Request) -> Answer:
    """How much is logged, for a time."""
    return verbosity.toggle(master.verbosity, request)


def show_system(master: MasterMachine, now: float, request: Request) -> Answer:
    """The host's gauges."""
    gauges = master.gauges
    return json_answer(
        request,
        {
            "avg_load_1min": gauges.get("system/load_1min", 0.0),
            "avg_load_5min": gauges.get("system/load_5min", 0.0),
            "avg_load_15min": gauges.get("system/load_15min", 0.0),
            "cpus_total": gauges.get("system/cpus_total", 0.0),
            "mem_total_bytes": gauges.get("system/mem_total_bytes", 0.0),
            "mem_free_bytes": gauges.get("system/mem_free_bytes", 0.0),
        },
    )
