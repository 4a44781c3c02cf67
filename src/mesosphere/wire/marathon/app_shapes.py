"""The shapes of request bodies: app, app update, group update, task ids.

Source: Marathon, "REST API": app.raml, appContainer.raml, network.raml, healthCheck.raml,
group.raml.
"""

from mesosphere.wire.marathon.paths import ID_PATTERN
from mesosphere.wire.marathon.shapes import (
    Anything,
    Later,
    ListOf,
    MapOf,
    Number,
    Record,
    Shape,
    Switch,
    Text,
    TextOr,
)

_TEXT = Text()
_TEXTS = ListOf(_TEXT)
_LABELS = MapOf(_TEXT)
INSTANCES_LIMIT = 2**31 - 1
_COUNT = Number(0, INSTANCES_LIMIT, whole=True)
_PORT = Number(0, 65535, whole=True)
AMOUNT_LIMIT = 1e12
"""Of cpus, mem and disk: far beyond any host, and exact in thousandths."""

_AMOUNT = Number(0, AMOUNT_LIMIT)
_NAME = Text(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
_ID = Text(pattern=ID_PATTERN)

_FETCH = Record(
    {
        "uri": Text(least=1, most=1024),
        "extract": Switch(),
        "executable": Switch(),
        "cache": Switch(),
        "destPath": _TEXT,
    },
    ("uri",),
)
_PORT_DEFINITION = Record(
    {
        "port": _PORT,
        "name": _NAME,
        "protocol": Text(choices=("tcp", "udp", "udp,tcp", "tcp,udp")),
        "labels": _LABELS,
    }
)
_PORT_MAPPING = Record(
    {
        "containerPort": _PORT,
        "hostPort": _PORT,
        "servicePort": _PORT,
        "protocol": Text(choices=("tcp", "udp", "udp,tcp", "tcp,udp")),
        "name": _NAME,
        "labels": _LABELS,
        "networkNames": _TEXTS,
    }
)
_DOCKER = Record(
    {
        "image": Text(least=1, most=1024),
        "forcePullImage": Switch(),
        "privileged": Switch(),
        "parameters": ListOf(Record({"key": Text(least=1), "value": _TEXT}, ("key", "value"))),
        "pullConfig": Record({"secret": _TEXT}),
        "network": Text(choices=("BRIDGE", "HOST", "NONE", "USER")),
        "portMappings": ListOf(_PORT_MAPPING),
        "credential": Anything(),
    }
)
_PERSISTENT = Record(
    {
        "type": Text(choices=("root", "path", "mount")),
        "size": Number(0, whole=True),
        "maxSize": Number(0, whole=True),
        "profileName": Text(least=1),
        "constraints": ListOf(_TEXTS),
    }
)
_EXTERNAL = Record(
    {
        "name": _TEXT,
        "provider": _TEXT,
        "size": Number(0, whole=True),
        "options": MapOf(Anything()),
        "shared": Switch(),
    }
)
_VOLUME = Record(
    {
        "containerPath": Text(least=1),
        "hostPath": Text(least=1),
        "mode": Text(choices=("RO", "RW")),
        "persistent": _PERSISTENT,
        "external": _EXTERNAL,
        "secret": _TEXT,
    }
)
_CONTAINER = Record(
    {
        "type": Text(choices=("MESOS", "DOCKER")),
        "docker": _DOCKER,
        "volumes": ListOf(_VOLUME),
        "portMappings": ListOf(_PORT_MAPPING),
        "linuxInfo": MapOf(Anything()),
    }
)
_NETWORK = Record(
    {
        "mode": Text(choices=("host", "container/bridge", "container")),
        "name": Text(least=1),
        "labels": _LABELS,
    }
)
_IP_ADDRESS = Record(
    {
        "networkName": _TEXT,
        "groups": _TEXTS,
        "labels": _LABELS,
        "discovery": Record(
            {
                "ports": ListOf(
                    Record(
                        {
                            "number": _PORT,
                            "name": _TEXT,
                            "protocol": Text(choices=("tcp", "udp")),
                            "labels": _LABELS,
                        }
                    )
                )
            }
        ),
    }
)
_HEALTH_CHECK = Record(
    {
        "protocol": Text(
            choices=(
                "HTTP",
                "HTTPS",
                "TCP",
                "COMMAND",
                "MESOS_HTTP",
                "MESOS_HTTPS",
                "MESOS_TCP",
            )
        ),
        "path": _TEXT,
        "portIndex": _COUNT,
        "port": Number(1, 65535, whole=True),
        "command": Record({"value": Text(least=1)}, ("value",)),
        "gracePeriodSeconds": _COUNT,
        "intervalSeconds": Number(1, 2**31 - 1, whole=True),
        "timeoutSeconds": Number(1, 2**31 - 1, whole=True),
        "maxConsecutiveFailures": _COUNT,
        "delaySeconds": _COUNT,
        "ignoreHttp1xx": Switch(),
        "ipProtocol": Text(choices=("IPv4", "IPv6")),
    }
)
_READINESS_CHECK = Record(
    {
        "name": Text(least=1),
        "protocol": Text(choices=("HTTP", "HTTPS")),
        "path": _TEXT,
        "portName": _TEXT,
        "intervalSeconds": Number(1, whole=True),
        "timeoutSeconds": Number(1, whole=True),
        "httpStatusCodesForReady": ListOf(Number(100, 999, whole=True), least=1),
        "preserveLastResponse": Switch(),
    }
)
_UNREACHABLE = TextOr(
    Text(choices=("disabled",)),
    Record({"inactiveAfterSeconds": _COUNT, "expungeAfterSeconds": _COUNT}),
)
_LIMIT = TextOr(Text(choices=("unlimited",)), _AMOUNT)

APP_FIELDS: dict[str, Shape] = {
    "id": _ID,
    "cmd": Text(least=1),
    "args": _TEXTS,
    "user": _TEXT,
    "env": MapOf(TextOr(_TEXT, Record({"secret": Text(least=1)}, ("secret",)))),
    "instances": _COUNT,
    "cpus": Number(0.001, AMOUNT_LIMIT),
    "mem": _AMOUNT,
    "disk": _AMOUNT,
    "gpus": _COUNT,
    "executor": Text(pattern=r"^(//cmd)|(/?[^/]+(/[^/]+)*)|$"),
    "executorResources": Record(
        {
            "cpus": Number(0.1, AMOUNT_LIMIT),
            "mem": Number(32, AMOUNT_LIMIT),
            "disk": Number(10, AMOUNT_LIMIT),
        }
    ),
    "resourceLimits": Record({"cpus": _LIMIT, "mem": _LIMIT}),
    "constraints": ListOf(ListOf(_TEXT, least=2, most=3)),
    "acceptedResourceRoles": ListOf(_TEXT),
    "role": Text(least=1),
    "fetch": ListOf(_FETCH),
    "uris": _TEXTS,
    "storeUrls": Anything(),
    "container": _CONTAINER,
    "networks": ListOf(_NETWORK),
    "portDefinitions": ListOf(_PORT_DEFINITION),
    "ports": ListOf(_PORT),
    "requirePorts": Switch(),
    "ipAddress": _IP_ADDRESS,
    "healthChecks": ListOf(_HEALTH_CHECK),
    "check": MapOf(Anything()),
    "readinessChecks": ListOf(_READINESS_CHECK),
    "dependencies": ListOf(_ID),
    "upgradeStrategy": Record(
        {"minimumHealthCapacity": Number(0, 1), "maximumOverCapacity": Number(0, 1)}
    ),
    "labels": _LABELS,
    "backoffSeconds": _COUNT,
    "backoffFactor": Number(1),
    "maxLaunchDelaySeconds": _COUNT,
    "taskKillGracePeriodSeconds": _COUNT,
    "unreachableStrategy": _UNREACHABLE,
    "killSelection": Text(choices=("YOUNGEST_FIRST", "OLDEST_FIRST")),
    "residency": Record(
        {
            "relaunchEscalationTimeoutSeconds": _COUNT,
            "taskLostBehavior": Text(choices=("WAIT_FOREVER", "RELAUNCH_AFTER_TIMEOUT")),
        }
    ),
    "secrets": MapOf(Record({"source": _TEXT}, ("source",))),
    "tty": Switch(),
    "version": _TEXT,
    "versionInfo": Anything(),
}

APP = Record(APP_FIELDS, ("id",))
APP_UPDATE = Record(APP_FIELDS)
APP_UPDATES = ListOf(APP_UPDATE)

_GROUPS = Later()
GROUP_UPDATE = Record(
    {
        "id": _ID,
        "apps": ListOf(APP),
        "groups": ListOf(_GROUPS),
        "dependencies": ListOf(_ID),
        "scaleBy": Number(0, 1_000_000),
        "version": _TEXT,
        "enforceRole": Switch(),
    }
)
_GROUPS.shape = GROUP_UPDATE

TASK_IDS = Record({"ids": ListOf(_TEXT)}, ("ids",))
