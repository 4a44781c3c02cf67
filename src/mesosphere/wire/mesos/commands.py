"""What to run, how to check it, how to end it.

Source: Mesos, include/mesos/v1/mesos.proto.
"""

from mesosphere.wire.mesos.base import Double, Int32, UInt32, WireStruct, emitted
from mesosphere.wire.mesos.common import DurationInfo
from mesosphere.wire.mesos.container_enums import (
    CheckType,
    HealthCheckType,
    Protocol,
    SecretType,
    VariableType,
)


class SecretReference(WireStruct, kw_only=True):
    name: str
    key: str | None = None


class SecretValue(WireStruct, kw_only=True):
    data: bytes


class Secret(WireStruct, kw_only=True):
    type: SecretType | None = None
    reference: SecretReference | None = None
    value: SecretValue | None = None


class Variable(WireStruct, kw_only=True):
    name: str
    type: VariableType = emitted("VALUE")
    value: str | None = None
    secret: Secret | None = None


class Environment(WireStruct, kw_only=True):
    variables: list[Variable] = []


class URI(WireStruct, kw_only=True):
    value: str
    executable: bool | None = None
    extract: bool = emitted(True)
    cache: bool | None = None
    output_file: str | None = None


class CommandInfo(WireStruct, kw_only=True):
    uris: list[URI] = []
    environment: Environment | None = None
    shell: bool = emitted(True)
    value: str | None = None
    arguments: list[str] = []
    user: str | None = None


class KillPolicy(WireStruct, kw_only=True):
    grace_period: DurationInfo | None = None


class CheckCommand(WireStruct, kw_only=True):
    command: CommandInfo


class CheckHttp(WireStruct, kw_only=True):
    port: UInt32
    path: str | None = None


class CheckTcp(WireStruct, kw_only=True):
    port: UInt32


class CheckInfo(WireStruct, kw_only=True):
    type: CheckType | None = None
    command: CheckCommand | None = None
    http: CheckHttp | None = None
    tcp: CheckTcp | None = None
    delay_seconds: Double = emitted(15.0)
    interval_seconds: Double = emitted(10.0)
    timeout_seconds: Double = emitted(20.0)


class HTTPCheckInfo(WireStruct, kw_only=True):
    protocol: Protocol = emitted("IPv4")
    scheme: str | None = None
    port: UInt32
    path: str | None = None
    statuses: list[UInt32] = []


class TCPCheckInfo(WireStruct, kw_only=True):
    protocol: Protocol = emitted("IPv4")
    port: UInt32


class HealthCheck(WireStruct, kw_only=True):
    delay_seconds: Double = emitted(15.0)
    interval_seconds: Double = emitted(10.0)
    timeout_seconds: Double = emitted(20.0)
    consecutive_failures: UInt32 = emitted(3)
    grace_period_seconds: Double = emitted(10.0)
    type: HealthCheckType | None = None
    command: CommandInfo | None = None
    http: HTTPCheckInfo | None = None
    tcp: TCPCheckInfo | None = None


class CheckStatusCommand(WireStruct, kw_only=True):
    exit_code: Int32 | None = None


class CheckStatusHttp(WireStruct, kw_only=True):
    status_code: UInt32 | None = None


class CheckStatusTcp(WireStruct, kw_only=True):
    succeeded: bool | None = None


class CheckStatusInfo(WireStruct, kw_only=True):
    type: CheckType | None = None
    command: CheckStatusCommand | None = None
    http: CheckStatusHttp | None = None
    tcp: CheckStatusTcp | None = None
