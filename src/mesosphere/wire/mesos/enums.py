"""Enumerations of tasks, resources, frameworks and calls: one table (name -> number) each.

A field's type is `str` to the type checker and a `Literal` of the table at run time, which makes
the decoder refuse (or, for optional fields, drop) names that it does not know.

Source: Mesos, include/mesos/v1/*.proto; src/common/protobuf_utils.cpp for what is terminal.
"""

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

MACHINE_INFO_MODE: Final = {
    "UP": 1,
    "DRAINING": 2,
    "DOWN": 3,
}
FRAMEWORK_CAPABILITY_TYPE: Final = {
    "UNKNOWN": 0,
    "REVOCABLE_RESOURCES": 1,
    "TASK_KILLING_STATE": 2,
    "GPU_RESOURCES": 3,
    "SHARED_RESOURCES": 4,
    "PARTITION_AWARE": 5,
    "MULTI_ROLE": 6,
    "RESERVATION_REFINEMENT": 7,
    "REGION_AWARE": 8,
}
EXECUTOR_TYPE: Final = {
    "UNKNOWN": 0,
    "DEFAULT": 1,
    "CUSTOM": 2,
}
MASTER_CAPABILITY_TYPE: Final = {
    "UNKNOWN": 0,
    "AGENT_UPDATE": 1,
    "AGENT_DRAINING": 2,
    "QUOTA_V2": 3,
}
AGENT_CAPABILITY_TYPE: Final = {
    "UNKNOWN": 0,
    "MULTI_ROLE": 1,
    "HIERARCHICAL_ROLE": 2,
    "RESERVATION_REFINEMENT": 3,
    "RESOURCE_PROVIDER": 4,
    "RESIZE_VOLUME": 5,
    "AGENT_OPERATION_FEEDBACK": 6,
    "AGENT_DRAINING": 7,
    "TASK_RESOURCE_LIMITS": 8,
}
VALUE_TYPE: Final = {
    "SCALAR": 0,
    "RANGES": 1,
    "SET": 2,
    "TEXT": 3,
}
RESERVATION_TYPE: Final = {
    "UNKNOWN": 0,
    "STATIC": 1,
    "DYNAMIC": 2,
}
DISK_SOURCE_TYPE: Final = {
    "UNKNOWN": 0,
    "PATH": 1,
    "MOUNT": 2,
    "BLOCK": 3,
    "RAW": 4,
}
OPERATION_TYPE: Final = {
    "UNKNOWN": 0,
    "LAUNCH": 1,
    "LAUNCH_GROUP": 6,
    "RESERVE": 2,
    "UNRESERVE": 3,
    "CREATE": 4,
    "DESTROY": 5,
    "GROW_VOLUME": 11,
    "SHRINK_VOLUME": 12,
    "CREATE_DISK": 13,
    "DESTROY_DISK": 14,
}
SOURCE: Final = {
    "SOURCE_MASTER": 0,
    "SOURCE_AGENT": 1,
    "SOURCE_EXECUTOR": 2,
}
REASON: Final = {
    "REASON_COMMAND_EXECUTOR_FAILED": 0,
    "REASON_CONTAINER_LAUNCH_FAILED": 21,
    "REASON_CONTAINER_LIMITATION": 19,
    "REASON_CONTAINER_LIMITATION_DISK": 20,
    "REASON_CONTAINER_LIMITATION_MEMORY": 8,
    "REASON_CONTAINER_PREEMPTED": 17,
    "REASON_CONTAINER_UPDATE_FAILED": 22,
    "REASON_MAX_COMPLETION_TIME_REACHED": 33,
    "REASON_EXECUTOR_REGISTRATION_TIMEOUT": 23,
    "REASON_EXECUTOR_REREGISTRATION_TIMEOUT": 24,
    "REASON_EXECUTOR_TERMINATED": 1,
    "REASON_EXECUTOR_UNREGISTERED": 2,
    "REASON_FRAMEWORK_REMOVED": 3,
    "REASON_GC_ERROR": 4,
    "REASON_INVALID_FRAMEWORKID": 5,
    "REASON_INVALID_OFFERS": 6,
    "REASON_IO_SWITCHBOARD_EXITED": 27,
    "REASON_MASTER_DISCONNECTED": 7,
    "REASON_RECONCILIATION": 9,
    "REASON_RESOURCES_UNKNOWN": 18,
    "REASON_AGENT_DISCONNECTED": 10,
    "REASON_AGENT_DRAINING": 34,
    "REASON_AGENT_REMOVED": 11,
    "REASON_AGENT_REMOVED_BY_OPERATOR": 31,
    "REASON_AGENT_REREGISTERED": 32,
    "REASON_AGENT_RESTARTED": 12,
    "REASON_AGENT_UNKNOWN": 13,
    "REASON_TASK_KILLED_DURING_LAUNCH": 30,
    "REASON_TASK_CHECK_STATUS_UPDATED": 28,
    "REASON_TASK_HEALTH_CHECK_STATUS_UPDATED": 29,
    "REASON_TASK_GROUP_INVALID": 25,
    "REASON_TASK_GROUP_UNAUTHORIZED": 26,
    "REASON_TASK_INVALID": 14,
    "REASON_TASK_UNAUTHORIZED": 15,
    "REASON_TASK_UNKNOWN": 16,
}
VISIBILITY: Final = {
    "FRAMEWORK": 0,
    "CLUSTER": 1,
    "EXTERNAL": 2,
}
TASK_STATES: Final = {
    "TASK_STAGING": 6,
    "TASK_STARTING": 0,
    "TASK_RUNNING": 1,
    "TASK_KILLING": 8,
    "TASK_FINISHED": 2,
    "TASK_FAILED": 3,
    "TASK_KILLED": 4,
    "TASK_ERROR": 7,
    "TASK_LOST": 5,
    "TASK_DROPPED": 9,
    "TASK_UNREACHABLE": 10,
    "TASK_GONE": 11,
    "TASK_GONE_BY_OPERATOR": 12,
    "TASK_UNKNOWN": 13,
}
OPERATION_STATE: Final = {
    "OPERATION_UNSUPPORTED": 0,
    "OPERATION_PENDING": 1,
    "OPERATION_FINISHED": 2,
    "OPERATION_FAILED": 3,
    "OPERATION_ERROR": 4,
    "OPERATION_DROPPED": 5,
    "OPERATION_UNREACHABLE": 6,
    "OPERATION_GONE_BY_OPERATOR": 7,
    "OPERATION_RECOVERING": 8,
    "OPERATION_UNKNOWN": 9,
}
DRAIN_STATE: Final = {
    "UNKNOWN": 0,
    "DRAINING": 1,
    "DRAINED": 2,
}
SCHEDULER_EVENT_TYPE: Final = {
    "UNKNOWN": 0,
    "SUBSCRIBED": 1,
    "OFFERS": 2,
    "INVERSE_OFFERS": 9,
    "RESCIND": 3,
    "RESCIND_INVERSE_OFFER": 10,
    "UPDATE": 4,
    "UPDATE_OPERATION_STATUS": 11,
    "MESSAGE": 5,
    "FAILURE": 6,
    "ERROR": 7,
    "HEARTBEAT": 8,
}
PSEUDOATTRIBUTE_TYPE: Final = {
    "UNKNOWN": 0,
    "HOSTNAME": 1,
    "REGION": 2,
    "ZONE": 3,
}
ERROR_REASON: Final = {
    "UNKNOWN": 0,
    "FRAMEWORK_REMOVED": 1,
    "FRAMEWORK_FAILED_OVER": 2,
    "PRINCIPAL_CHANGED": 3,
    "INVALID_ROLES": 4,
    "ROLES_NOT_ALLOWED": 5,
    "INVALID_SUPPRESSED_ROLES": 6,
    "ROOT_NOT_ALLOWED": 7,
    "INVALID_FAILOVER_TIMEOUT": 8,
    "INVALID_FRAMEWORK_ID": 9,
    "INVALID_OFFER_CONSTRAINTS": 10,
}
SCHEDULER_CALL_TYPE: Final = {
    "UNKNOWN": 0,
    "SUBSCRIBE": 1,
    "TEARDOWN": 2,
    "ACCEPT": 3,
    "DECLINE": 4,
    "ACCEPT_INVERSE_OFFERS": 13,
    "DECLINE_INVERSE_OFFERS": 14,
    "REVIVE": 5,
    "KILL": 6,
    "SHUTDOWN": 7,
    "ACKNOWLEDGE": 8,
    "ACKNOWLEDGE_OPERATION_STATUS": 15,
    "RECONCILE": 9,
    "RECONCILE_OPERATIONS": 16,
    "MESSAGE": 10,
    "REQUEST": 11,
    "SUPPRESS": 12,
    "UPDATE_FRAMEWORK": 17,
}
EXECUTOR_EVENT_TYPE: Final = {
    "UNKNOWN": 0,
    "SUBSCRIBED": 1,
    "LAUNCH": 2,
    "LAUNCH_GROUP": 8,
    "KILL": 3,
    "ACKNOWLEDGED": 4,
    "MESSAGE": 5,
    "ERROR": 6,
    "SHUTDOWN": 7,
    "HEARTBEAT": 9,
}
EXECUTOR_CALL_TYPE: Final = {
    "UNKNOWN": 0,
    "SUBSCRIBE": 1,
    "UPDATE": 2,
    "MESSAGE": 3,
    "HEARTBEAT": 4,
}
OPERATOR_CALL_TYPE: Final = {
    "UNKNOWN": 0,
    "GET_HEALTH": 1,
    "GET_FLAGS": 2,
    "GET_VERSION": 3,
    "GET_METRICS": 4,
    "GET_LOGGING_LEVEL": 5,
    "SET_LOGGING_LEVEL": 6,
    "LIST_FILES": 7,
    "READ_FILE": 8,
    "GET_STATE": 9,
    "GET_AGENTS": 10,
    "GET_FRAMEWORKS": 11,
    "GET_EXECUTORS": 12,
    "GET_OPERATIONS": 33,
    "GET_TASKS": 13,
    "GET_ROLES": 14,
    "GET_WEIGHTS": 15,
    "UPDATE_WEIGHTS": 16,
    "GET_MASTER": 17,
    "SUBSCRIBE": 18,
    "RESERVE_RESOURCES": 19,
    "UNRESERVE_RESOURCES": 20,
    "CREATE_VOLUMES": 21,
    "DESTROY_VOLUMES": 22,
    "GROW_VOLUME": 34,
    "SHRINK_VOLUME": 35,
    "GET_MAINTENANCE_STATUS": 23,
    "GET_MAINTENANCE_SCHEDULE": 24,
    "UPDATE_MAINTENANCE_SCHEDULE": 25,
    "START_MAINTENANCE": 26,
    "STOP_MAINTENANCE": 27,
    "DRAIN_AGENT": 37,
    "DEACTIVATE_AGENT": 38,
    "REACTIVATE_AGENT": 39,
    "GET_QUOTA": 28,
    "UPDATE_QUOTA": 36,
    "SET_QUOTA": 29,
    "REMOVE_QUOTA": 30,
    "TEARDOWN": 31,
    "MARK_AGENT_GONE": 32,
    "EXPLAIN": 1000,
}
INVERSE_OFFER_ANSWER: Final = {
    "UNKNOWN": 1,
    "ACCEPT": 2,
    "DECLINE": 3,
}
LINK_CALL_TYPE: Final = {
    "SUBSCRIBE": 1,
    "UPDATE": 2,
    "PONG": 3,
    "UNREGISTER": 4,
    "EXITED_EXECUTOR": 5,
    "MESSAGE": 6,
    "UPDATE_OPERATION": 20,
}
LINK_EVENT_TYPE: Final = {
    "SUBSCRIBED": 1,
    "RUN_TASK": 2,
    "RUN_TASK_GROUP": 3,
    "KILL_TASK": 4,
    "ACKNOWLEDGE": 5,
    "SHUTDOWN_FRAMEWORK": 6,
    "SHUTDOWN_EXECUTOR": 7,
    "UPDATE_FRAMEWORK": 8,
    "RECONCILE": 9,
    "MESSAGE": 10,
    "PING": 11,
    "SHUTDOWN": 12,
    "ERROR": 13,
    "DRAIN": 14,
    "APPLY_OPERATION": 20,
    "ACKNOWLEDGE_OPERATION": 21,
    "RECONCILE_OPERATIONS": 22,
}

if TYPE_CHECKING:
    LinkCallType: TypeAlias = str
    LinkEventType: TypeAlias = str
    MachineInfoMode: TypeAlias = str
    FrameworkCapabilityType: TypeAlias = str
    ExecutorType: TypeAlias = str
    MasterCapabilityType: TypeAlias = str
    AgentCapabilityType: TypeAlias = str
    ValueType: TypeAlias = str
    ReservationType: TypeAlias = str
    DiskSourceType: TypeAlias = str
    OperationType: TypeAlias = str
    Source: TypeAlias = str
    Reason: TypeAlias = str
    Visibility: TypeAlias = str
    TaskState: TypeAlias = str
    OperationState: TypeAlias = str
    DrainState: TypeAlias = str
    SchedulerEventType: TypeAlias = str
    PseudoattributeType: TypeAlias = str
    SchedulerCallType: TypeAlias = str
    ErrorReason: TypeAlias = str
    ExecutorEventType: TypeAlias = str
    ExecutorCallType: TypeAlias = str
    OperatorCallType: TypeAlias = str
    InverseOfferAnswer: TypeAlias = str
else:
    LinkCallType = Literal[tuple(LINK_CALL_TYPE)]
    LinkEventType = Literal[tuple(LINK_EVENT_TYPE)]
    MachineInfoMode = Literal[tuple(MACHINE_INFO_MODE)]
    FrameworkCapabilityType = Literal[tuple(FRAMEWORK_CAPABILITY_TYPE)]
    ExecutorType = Literal[tuple(EXECUTOR_TYPE)]
    MasterCapabilityType = Literal[tuple(MASTER_CAPABILITY_TYPE)]
    AgentCapabilityType = Literal[tuple(AGENT_CAPABILITY_TYPE)]
    ValueType = Literal[tuple(VALUE_TYPE)]
    ReservationType = Literal[tuple(RESERVATION_TYPE)]
    DiskSourceType = Literal[tuple(DISK_SOURCE_TYPE)]
    OperationType = Literal[tuple(OPERATION_TYPE)]
    Source = Literal[tuple(SOURCE)]
    Reason = Literal[tuple(REASON)]
    Visibility = Literal[tuple(VISIBILITY)]
    TaskState = Literal[tuple(TASK_STATES)]
    OperationState = Literal[tuple(OPERATION_STATE)]
    DrainState = Literal[tuple(DRAIN_STATE)]
    SchedulerEventType = Literal[tuple(SCHEDULER_EVENT_TYPE)]
    PseudoattributeType = Literal[tuple(PSEUDOATTRIBUTE_TYPE)]
    ErrorReason = Literal[tuple(ERROR_REASON)]
    SchedulerCallType = Literal[tuple(SCHEDULER_CALL_TYPE)]
    ExecutorEventType = Literal[tuple(EXECUTOR_EVENT_TYPE)]
    ExecutorCallType = Literal[tuple(EXECUTOR_CALL_TYPE)]
    OperatorCallType = Literal[tuple(OPERATOR_CALL_TYPE)]
    InverseOfferAnswer = Literal[tuple(INVERSE_OFFER_ANSWER)]

TERMINAL_STATES: Final = frozenset(
    {
        "TASK_FINISHED",
        "TASK_FAILED",
        "TASK_KILLED",
        "TASK_ERROR",
        "TASK_LOST",
        "TASK_DROPPED",
        "TASK_GONE",
        "TASK_GONE_BY_OPERATOR",
    }
)
TERMINAL_OPERATION_STATES: Final = frozenset(
    {
        "OPERATION_FINISHED",
        "OPERATION_FAILED",
        "OPERATION_ERROR",
        "OPERATION_DROPPED",
        "OPERATION_GONE_BY_OPERATOR",
    }
)


def is_terminal(state: str) -> bool:
    """Whether a task in this state has ended. UNREACHABLE and UNKNOWN are not ends."""
    return state in TERMINAL_STATES


def frees_resources(state: str) -> bool:
    """Whether the master takes a task's resources back on entering this state."""
    return state in TERMINAL_STATES or state == "TASK_UNREACHABLE"


def is_terminal_operation(state: str) -> bool:
    """Whether an operation in this state has ended."""
    return state in TERMINAL_OPERATION_STATES
