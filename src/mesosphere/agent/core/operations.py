"""Operations on this agent's resources: made durable, carried out, told until acknowledged.

Decides what becomes of APPLY_OPERATION. The resources change in memory at once, because tasks that
use them follow on the same stream; the file `meta/resources/resources_and_operations.state` gets
what flags do not give and every operation without acknowledgement; once it is on disk the
directories of volumes are made or removed; only then the status goes out, and again until it is
acknowledged.

Vocabulary: an operation is written with a *generation* of the file; it has *ended* when it is known
how it went, and is *settled* when that is on disk and the directories are changed: then it is told.

Invariants: nothing is told before it is on disk; each write holds the whole state, so a later one
makes up for one that failed; a directory of a volume that exists is never removed, and while one
that was destroyed can't be removed no volume is created in its place; an operation
that this agent can't do makes it subscribe again, so that its master learns what is true.

Source: apache/mesos src/slave/slave.cpp (applyOperation, syncCheckpointedResources),
src/status_update_manager/operation.hpp.
"""

import posixpath
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from mesosphere.agent.core.registration import Registration
from mesosphere.agent.core.state import AgentOperation, State
from mesosphere.agent.core.status_updates import RETRY_LEAST_S, RETRY_MOST_S
from mesosphere.agent.core.volumes import is_movable, paths
from mesosphere.kernel.conversions import (
    Conversion,
    as_held,
    checkpointed,
    convert,
    each_once,
    is_volume,
    restore,
)
from mesosphere.kernel.effects import (
    CancelTimer,
    ChangeVolumes,
    Checkpoint,
    Effect,
    Halt,
    Log,
    SetTimer,
)
from mesosphere.kernel.events import VolumesChanged
from mesosphere.kernel.exit_codes import ExitCode
from mesosphere.kernel.ids import IdSource
from mesosphere.kernel.resources import EMPTY, Resources, ResourcesError, format_resources
from mesosphere.kernel.seals import seal, unseal
from mesosphere.wire.errors import WireError
from mesosphere.wire.mesos import codec, link
from mesosphere.wire.mesos.enums import is_terminal_operation
from mesosphere.wire.mesos.ids import UUID, AgentID
from mesosphere.wire.mesos.operations import Operation, OperationRecord, OperationStatus
from mesosphere.wire.mesos.operations_codec import read_conversion
from mesosphere.wire.mesos.resources import Resource
from mesosphere.wire.mesos.resources_codec import from_wire, to_wire

PATH = "meta/resources/resources_and_operations.state"
COPY_PATH = f"{PATH}.copy"
"""The same again: whoever loses this file loses sight of volumes and of what is in them."""
KIND = "operation"
WRITE_TIMER = f"{KIND}/write"
WRITE_AGAIN_S = 5.0


class _SavedOperation(msgspec.Struct):
    record: OperationRecord
    end: bytes
    make: list[str] = []
    remove: list[str] = []


class _File(msgspec.Struct):
    resources: list[Resource]
    operations: list[_SavedOperation]


class Operations:
    """The operations of one agent."""

    def __init__(self, state: State, link_: Registration, ids: IdSource) -> None:
        self._state = state
        self._link = link_
        self._ids = ids
        self._generation = 0
        self.events: dict[str, tuple[str, Callable[[float, Any], list[Effect]]]] = {
            "APPLY_OPERATION": ("apply_operation", self.apply),
            "ACKNOWLEDGE_OPERATION": ("acknowledge_operation", self._acknowledge),
            "RECONCILE_OPERATIONS": ("reconcile_operations", self._reconcile),
        }

    # --- an earlier life -----------------------------------------------------------------

    def recover(self, files: Mapping[str, bytes]) -> list[Effect]:
        """Take up reservations, volumes and operations, or refuse to start."""
        effects, found, remembered = self._read(files)
        if found is None:
            # What tasks still use shows in their own files; the rest the master learns is gone.
            return effects
        try:
            self._state.total = restore(self._state.config.resources, remembered)
        except ResourcesError as error:
            where = f"{self._state.config.host.work_dir}/{posixpath.dirname(PATH)}"
            reason = (
                f"Incompatible agent info detected: {error}; give back what is missing, or remove "
                f"{where} to lose what was reserved"
            )
            return [*effects, Halt(ExitCode.USAGE, reason)]
        for saved in found.operations:
            self._state.operations[saved.record.uuid.value] = AgentOperation(
                saved.record,
                saved.end,
                tuple(saved.make),
                tuple(saved.remove),
                has_ended=is_terminal_operation(saved.record.latest_status.state),
            )
        fields = {"total": format_resources(self._state.total), "operations": len(found.operations)}
        return [*effects, Log("info", "resources_recovered", fields)]

    def _read(self, files: Mapping[str, bytes]) -> tuple[list[Effect], _File | None, Resources]:
        """The first of the two files that can be read; the other becomes like it."""
        effects: list[Effect] = []
        found, remembered, good = None, EMPTY, b""
        for path in (PATH, COPY_PATH):
            try:
                one = codec.decode(unseal(files[path]), _File)
                resources = from_wire(one.resources)
            except KeyError:
                continue
            except (WireError, ValueError) as error:
                effects += self._state.set_aside(path, str(error))
                continue
            if found is None:
                found, remembered, good = one, resources, files[path]
        for path in (PATH, COPY_PATH) if found is not None else ():
            if files.get(path) != good:
                effects.append(Checkpoint(path, good))
        return effects, found, remembered

    def resume(self) -> list[Effect]:
        """Go on with what was pending."""
        return self._write() if self._pending() else []

    # --- the master speaks ---------------------------------------------------------------

    def apply(self, now: float, event: link.ApplyOperation) -> list[Effect]:
        """APPLY_OPERATION: convert and make durable."""
        state = self._state
        uuid = event.operation_uuid.value
        if uuid in state.operations:
            return []
        operation = self._add(event)
        try:
            conversion = read_conversion(event.operation, state.total)
            total = convert(state.total, conversion)
            self._refuse_used(conversion)
            self._refuse_undestroyed(conversion)
        except (WireError, ResourcesError) as error:
            self._end(operation, "OPERATION_ERROR", str(error))
            lost = f"an operation does not fit the resources here: {error}"
            return [*self._write(), *self._link.retry(lost)]
        state.total = total
        work_dir = state.config.host.work_dir
        before, after = paths(work_dir, conversion.consumed), paths(work_dir, conversion.converted)
        operation.make = tuple(path for path in after if path not in before)
        operation.remove = tuple(path for path in before if path not in after)
        fields = {"type": event.operation.type, "total": format_resources(total)}
        return [Log("info", "operation_applied", fields), *self._write()]

    def _add(self, event: link.ApplyOperation) -> AgentOperation:
        record = OperationRecord(
            framework_id=event.framework_id,
            agent_id=AgentID(self._state.agent_id or ""),
            info=event.operation,
            latest_status=OperationStatus(
                operation_id=event.operation.id, state="OPERATION_PENDING"
            ),
            uuid=event.operation_uuid,
        )
        operation = AgentOperation(record, self._ids.uuid_bytes())
        self._state.operations[record.uuid.value] = operation
        return operation

    def _refuse_used(self, conversion: Conversion) -> None:
        consumed = conversion.consumed.where(is_volume)
        if consumed and (used := each_once(self._state.used())) - consumed != used:
            raise ResourcesError(f"{consumed!r} is in use")

    def _refuse_undestroyed(self, conversion: Conversion) -> None:
        """A new volume must not show what is left of an old one of its name."""
        made = paths(self._state.config.host.work_dir, conversion.converted)
        for each in self._pending():
            for path in each.remove:
                # Others are out of sight before what comes later is on disk.
                if path in made and (each.is_stuck or not is_movable(path)):
                    raise ResourcesError(f"{path} is still to be emptied")

    def _acknowledge(self, now: float, event: link.AcknowledgeOperation) -> list[Effect]:
        uuid = event.operation_uuid.value
        operation = self._state.operations.get(uuid)
        if operation is None or not operation.has_ended or operation.end != event.status_uuid.value:
            return [Log("debug", "acknowledgement_ignored", {"operation": uuid.hex()})]
        del self._state.operations[uuid]
        rest = self._write() if operation.is_kept else []
        return [CancelTimer(operation.timer), *rest]

    def _reconcile(self, now: float, event: link.ReconcileOperations) -> list[Effect]:
        """The master sent these and we never got them: say so until it is acknowledged."""
        effects: list[Effect] = []
        for uuid in event.operations:
            if uuid.value in self._state.operations:
                continue
            unknown = link.ApplyOperation(operation=Operation(type="UNKNOWN"), operation_uuid=uuid)
            operation = self._add(unknown)
            operation.is_kept, operation.is_settled = False, True
            self._end(operation, "OPERATION_DROPPED", "The operation never reached the agent")
            effects += self._send(operation)
        return effects

    # --- carrying out --------------------------------------------------------------------

    def _pending(self) -> list[AgentOperation]:
        return [each for each in self._state.operations.values() if not each.is_settled]

    def _write(self) -> list[Effect]:
        """The whole state to disk, and then what is pending is done."""
        self._generation += 1
        state = self._state
        kept = [each for each in state.operations.values() if each.is_kept]
        file = _File(
            resources=to_wire(checkpointed(state.total)),
            operations=[
                _SavedOperation(each.record, each.end, list(each.make), list(each.remove))
                for each in kept
            ],
        )
        pending = self._pending()
        there = paths(state.config.host.work_dir, state.total)
        for each in pending:
            each.generation = each.generation or self._generation
        make = tuple(path for each in pending for path in each.make if path in there)
        remove = tuple(path for each in pending for path in each.remove if path not in there)
        change = ChangeVolumes(str(self._generation), make, remove)
        data = seal(codec.encode(file))
        then: tuple[Effect, ...] = (change,) if pending else ()
        return [Checkpoint(PATH, data, then=(*then, Checkpoint(COPY_PATH, data)))]

    def changed(self, now: float, event: VolumesChanged) -> list[Effect]:
        """A generation is on disk and its directories are as they should be, or some are not."""
        effects: list[Effect] = [
            Log("error", "volume_failed", {"path": path, "reason": reason})
            for path, reason in event.failed.items()
        ]
        must_write = False
        for operation in self._pending():
            if operation.generation > int(event.token):
                continue
            failed = [path for path in operation.make if path in event.failed]
            if any(path in event.failed for path in operation.remove):
                operation.is_stuck = True
                effects.append(SetTimer(WRITE_TIMER, WRITE_AGAIN_S))
            elif failed and not operation.has_ended:
                self._revert(operation, f"{failed[0]}: {event.failed[failed[0]]}")
                must_write = True
            else:
                if not operation.has_ended:
                    self._end(operation, "OPERATION_FINISHED", None)
                operation.is_settled = True
                effects += self._send(operation)
        if must_write:
            effects += [*self._write(), *self._link.retry("an operation could not be carried out")]
        return effects

    def _revert(self, operation: AgentOperation, reason: str) -> None:
        state = self._state
        try:
            done = read_conversion(operation.record.info, state.total)
            state.total = convert(state.total, Conversion(done.converted, done.consumed))
        except (WireError, ResourcesError) as error:
            reason = f"{reason}; and it can't be taken back: {error}"
        self._end(operation, "OPERATION_FAILED", reason)

    def _end(self, operation: AgentOperation, how: str, message: str | None) -> None:
        operation.has_ended = True
        operation.record.latest_status = OperationStatus(
            operation_id=operation.record.info.id,
            state=how,
            message=message,
            uuid=UUID(value=operation.end),
            agent_id=AgentID(self._state.agent_id or ""),
        )

    def checkpoint_failed(self) -> list[Effect]:
        """The file could not be written: nothing was told, so try again."""
        return [SetTimer(WRITE_TIMER, WRITE_AGAIN_S)]

    # --- telling -------------------------------------------------------------------------

    def timer(self, key: str) -> list[Effect]:
        """`operation/write`, or the retry of an operation's status."""
        if key == "write":
            return self._write()
        operation = self._state.operations.get(bytes.fromhex(key))
        return [] if operation is None else self._send(operation)

    def _send(self, operation: AgentOperation) -> list[Effect]:
        if not operation.is_settled or not self._link.is_registered:
            return []
        record = operation.record
        call = link.Call(
            type="UPDATE_OPERATION",
            agent_id=AgentID(self._state.agent_id or ""),
            update_operation=link.UpdateOperation(
                operation_uuid=record.uuid,
                framework_id=record.framework_id,
                status=record.latest_status,
            ),
        )
        retry = SetTimer(operation.timer, operation.retry_s)
        operation.retry_s = min(operation.retry_s * 2, RETRY_MOST_S)
        return [*self._link.send(call), retry]

    def repeat_all(self) -> list[Effect]:
        """Somebody new listens: tell everything at once, with the shortest interval again."""
        effects: list[Effect] = []
        for operation in self._state.operations.values():
            operation.retry_s = RETRY_LEAST_S
            effects.append(SetTimer(operation.timer, 0.0))
        return effects

    def reports(self) -> list[OperationRecord]:
        """What SUBSCRIBE says of operations; those that never came are not ours to report."""
        return [each.record for each in self._state.operations.values() if each.is_kept]

    # --- tasks ---------------------------------------------------------------------------

    def missing(self, resources: Iterable[Resource]) -> str:
        """What of a task's resources this agent lacks or has not reserved; "" if nothing."""
        total = self._state.total
        wanted = each_once(as_held(from_wire(list(resources)).allocated_to(None), total))
        if total.contains(wanted):
            return ""
        lacking = wanted - total
        if unknown := checkpointed(lacking):
            return (
                "The checkpointed resources being used by the task are unknown to the agent: "
                f"{format_resources(unknown)}"
            )
        return f"The agent does not have {format_resources(lacking)}"
