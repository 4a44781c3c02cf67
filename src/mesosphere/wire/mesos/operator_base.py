"""What the operator APIs of master and agent have in common: the same messages under either Call
and either Response.

Source: Mesos, include/mesos/v1/master/master.proto, include/mesos/v1/agent/agent.proto.
"""

from mesosphere.wire.mesos.base import UINT64_LIMIT, Natural, UInt32, UInt64, WireStruct
from mesosphere.wire.mesos.common import DurationInfo, FileInfo, Flag, Metric, VersionInfo
from mesosphere.wire.mesos.operations import OperationRecord

# --- calls ----------------------------------------------------------------------------------


class AskMetrics(WireStruct, kw_only=True):
    """GetMetrics of the Call."""

    timeout: DurationInfo | None = None


class SetLoggingLevel(WireStruct, kw_only=True):
    level: UInt32
    duration: DurationInfo


class AskFiles(WireStruct, kw_only=True):
    """ListFiles of the Call."""

    path: str


class AskFile(WireStruct, kw_only=True):
    """ReadFile of the Call."""

    path: str
    offset: Natural
    length: UInt64 | None = None

    def __post_init__(self) -> None:
        if (self.length or 0) > UINT64_LIMIT:
            raise ValueError(f"length cannot be above {UINT64_LIMIT}")


class CallBase(WireStruct, kw_only=True):
    """The field named like the type, in lower case, holds the object of the call."""

    type: str = ""
    get_metrics: AskMetrics | None = None
    set_logging_level: SetLoggingLevel | None = None
    list_files: AskFiles | None = None
    read_file: AskFile | None = None


# --- answers --------------------------------------------------------------------------------


class GetHealth(WireStruct, kw_only=True):
    healthy: bool


class GetFlags(WireStruct, kw_only=True):
    flags: list[Flag] = []


class GetVersion(WireStruct, kw_only=True):
    version_info: VersionInfo


class GetMetrics(WireStruct, kw_only=True):
    metrics: list[Metric] = []


class GetLoggingLevel(WireStruct, kw_only=True):
    level: UInt32


class ListFiles(WireStruct, kw_only=True):
    file_infos: list[FileInfo] = []


class ReadFile(WireStruct, kw_only=True):
    """`size` is that of the whole file."""

    size: Natural
    data: bytes


class GetOperations(WireStruct, kw_only=True):
    operations: list[OperationRecord] = []


class ResponseBase(WireStruct, kw_only=True):
    """The field named like the type, in lower case, holds the answer."""

    type: str = ""
    get_health: GetHealth | None = None
    get_flags: GetFlags | None = None
    get_version: GetVersion | None = None
    get_metrics: GetMetrics | None = None
    get_logging_level: GetLoggingLevel | None = None
    list_files: ListFiles | None = None
    read_file: ReadFile | None = None
    get_operations: GetOperations | None = None
