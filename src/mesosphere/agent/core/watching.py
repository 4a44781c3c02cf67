"""Watches running tasks by their health checks and checks, and says what is news.

A *look* is one check under way. Looks are named `health/<framework>/<task>/<round>` and
`check/<framework>/<task>/<round>`; an answer of an earlier round is ignored. The value of an answer
is an exit code, an HTTP status or 1 and 0 for TCP; None when there was none in time. The rules are
in `health` and `checks`.
"""

from typing import NamedTuple

from mesosphere.agent.core import checks, health
from mesosphere.agent.core.addresses import is_apart
from mesosphere.agent.core.config import AgentConfig
from mesosphere.agent.core.exits import End
from mesosphere.agent.core.life_cycle import Phase
from mesosphere.agent.core.requests import command_words, task_environment
from mesosphere.agent.core.state import State, TaskRecord
from mesosphere.kernel.effects import Effect, SetTimer
from mesosphere.wire.mesos.commands import CheckStatusInfo
from mesosphere.wire.mesos.tasks import TaskInfo


class News(NamedTuple):
    """What follows from an answer: a status to tell (if any), the next look, or the end."""

    record: TaskRecord
    end: End | None
    again: list[Effect]
    gives_up: bool = False


def why_unwatchable(task: TaskInfo) -> str:
    """What makes a task's checks impossible; "" if they can be made."""
    reason = ""
    if task.health_check is not None:
        reason = health.why_no_check(task.health_check)
    if not reason and task.check is not None:
        reason = checks.why_no_check(task.check)
    return reason


class Watching:
    """The health and the checks of all running tasks."""

    def __init__(self, config: AgentConfig, state: State) -> None:
        self._config = config
        self._state = state
        self._health: dict[str, health.HealthState] = {}
        self._checks: dict[str, checks.CheckState] = {}

    def begin(self, now: float, record: TaskRecord) -> list[Effect]:
        """A task runs: arm its first looks."""
        effects: list[Effect] = []
        if record.info.health_check is not None:
            state = health.HealthState(record.info.health_check, now)
            self._health[record.key] = state
            effects.append(SetTimer(f"health/{record.key}", state.first_delay_s()))
        if record.info.check is not None:
            self._checks[record.key] = checks.CheckState(record.info.check)
            effects.append(SetTimer(f"check/{record.key}", record.info.check.delay_seconds))
        return effects

    def end(self, record: TaskRecord) -> None:
        """A task has ended: nobody looks any more."""
        self._health.pop(record.key, None)
        self._checks.pop(record.key, None)

    def status_of(self, record: TaskRecord) -> CheckStatusInfo | None:
        """What a status of this task says of its check."""
        state = self._checks.get(record.key)
        if state is not None and state.status is not None:
            return state.status
        return checks.no_result(record.info.check)

    def look(self, record: TaskRecord, kind: str) -> list[Effect]:
        """The timer `health/..` or `check/..` fired: start a look."""
        state = self._health.get(record.key) if kind == "health" else self._checks.get(record.key)
        framework = self._state.frameworks.get(record.framework_id)
        if state is None or framework is None or record.phase is not Phase.RUNNING:
            return []
        if isinstance(state, health.HealthState):
            target = health.health_target(state.check)
        else:
            target = checks.check_target(state.check)
        argv: tuple[str, ...] = ()
        environment: dict[str, str] = {}
        if target.command is not None:
            argv = command_words(target.command)
            environment = task_environment(
                record.info, framework.info, record.agent_id, record.container, self._config,
                record.executor_id,
            )  # fmt: skip
        state.round += 1
        name = f"{kind}/{record.key}/{state.round}"
        inside = is_apart(record)
        effect = target.effect(name, record.container, argv, environment, inside)
        return [] if effect is None else [effect]

    def judge(self, now: float, name: str, value: int | None, reason: str) -> News | None:
        """An answer came: what is news; None if it is of no interest any more."""
        kind, _, rest = name.partition("/")
        key, _, number = rest.rpartition("/")
        record = self._state.find(*key.split("/", 1))
        state = self._health.get(key) if kind == "health" else self._checks.get(key)
        if state is None or record is None or record.phase is not Phase.RUNNING:
            return None
        if number != str(state.round):
            return None
        pause_s = max(state.check.interval_seconds, health.LEAST_INTERVAL_S)
        again: list[Effect] = [SetTimer(f"{kind}/{key}", pause_s)]
        if isinstance(state, health.HealthState):
            return self._judge_health(now, record, state, value, reason, again)
        status = checks.result(state.check.type or "UNKNOWN", value)
        if not state.is_news(status):
            return News(record, None, again)
        return News(record, End("TASK_RUNNING", "REASON_TASK_CHECK_STATUS_UPDATED", ""), again)

    @staticmethod
    def _judge_health(
        now: float,
        record: TaskRecord,
        state: health.HealthState,
        value: int | None,
        reason: str,
        again: list[Effect],
    ) -> News:
        passed = value is not None and health.passes(health.check_kind(state.check), value)
        verdict = state.judge(now, passed)
        if verdict is health.Verdict.SILENT:
            return News(record, None, again)
        record.healthy = state.healthy
        words = "" if passed else f"Health check failed: {reason}"
        end = End("TASK_RUNNING", "REASON_TASK_HEALTH_CHECK_STATUS_UPDATED", words)
        return News(record, end, again, verdict is health.Verdict.GIVE_UP)
