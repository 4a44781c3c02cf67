"""Enumerations of containers, commands and checks: one table (name -> number) each.

A field's type is `str` to the type checker and a `Literal` of the table at run time, which makes
the decoder refuse (or, for optional fields, drop) names that it does not know.

Source: Mesos, include/mesos/v1/mesos.proto.
"""

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

CHECK_TYPE: Final = {
    "UNKNOWN": 0,
    "COMMAND": 1,
    "HTTP": 2,
    "TCP": 3,
}
HEALTH_CHECK_TYPE: Final = {
    "UNKNOWN": 0,
    "COMMAND": 1,
    "HTTP": 2,
    "TCP": 3,
}
VARIABLE_TYPE: Final = {
    "UNKNOWN": 0,
    "VALUE": 1,
    "SECRET": 2,
}
SECRET_TYPE: Final = {
    "UNKNOWN": 0,
    "REFERENCE": 1,
    "VALUE": 2,
}
IMAGE_TYPE: Final = {
    "APPC": 1,
    "DOCKER": 2,
}
MOUNT_PROPAGATION_MODE: Final = {
    "UNKNOWN": 0,
    "HOST_TO_CONTAINER": 1,
    "BIDIRECTIONAL": 2,
}
SANDBOX_PATH_TYPE: Final = {
    "UNKNOWN": 0,
    "SELF": 1,
    "PARENT": 2,
}
VOLUME_SOURCE_TYPE: Final = {
    "UNKNOWN": 0,
    "DOCKER_VOLUME": 1,
    "HOST_PATH": 4,
    "SANDBOX_PATH": 2,
    "SECRET": 3,
    "CSI_VOLUME": 5,
}
VOLUME_MODE: Final = {
    "RW": 1,
    "RO": 2,
}
PROTOCOL: Final = {
    "IPv4": 1,
    "IPv6": 2,
}
LINUX_CAPABILITY: Final = {
    "UNKNOWN": 0,
    "CHOWN": 1000,
    "DAC_OVERRIDE": 1001,
    "DAC_READ_SEARCH": 1002,
    "FOWNER": 1003,
    "FSETID": 1004,
    "KILL": 1005,
    "SETGID": 1006,
    "SETUID": 1007,
    "SETPCAP": 1008,
    "LINUX_IMMUTABLE": 1009,
    "NET_BIND_SERVICE": 1010,
    "NET_BROADCAST": 1011,
    "NET_ADMIN": 1012,
    "NET_RAW": 1013,
    "IPC_LOCK": 1014,
    "IPC_OWNER": 1015,
    "SYS_MODULE": 1016,
    "SYS_RAWIO": 1017,
    "SYS_CHROOT": 1018,
    "SYS_PTRACE": 1019,
    "SYS_PACCT": 1020,
    "SYS_ADMIN": 1021,
    "SYS_BOOT": 1022,
    "SYS_NICE": 1023,
    "SYS_RESOURCE": 1024,
    "SYS_TIME": 1025,
    "SYS_TTY_CONFIG": 1026,
    "MKNOD": 1027,
    "LEASE": 1028,
    "AUDIT_WRITE": 1029,
    "AUDIT_CONTROL": 1030,
    "SETFCAP": 1031,
    "MAC_OVERRIDE": 1032,
    "MAC_ADMIN": 1033,
    "SYSLOG": 1034,
    "WAKE_ALARM": 1035,
    "BLOCK_SUSPEND": 1036,
    "AUDIT_READ": 1037,
    "PERFMON": 1038,
    "BPF": 1039,
    "CHECKPOINT_RESTORE": 1040,
}
IPC_MODE: Final = {
    "UNKNOWN": 0,
    "PRIVATE": 1,
    "SHARE_PARENT": 2,
}
R_LIMIT_TYPE: Final = {
    "UNKNOWN": 0,
    "RLMT_AS": 1,
    "RLMT_CORE": 2,
    "RLMT_CPU": 3,
    "RLMT_DATA": 4,
    "RLMT_FSIZE": 5,
    "RLMT_LOCKS": 6,
    "RLMT_MEMLOCK": 7,
    "RLMT_MSGQUEUE": 8,
    "RLMT_NICE": 9,
    "RLMT_NOFILE": 10,
    "RLMT_NPROC": 11,
    "RLMT_RSS": 12,
    "RLMT_RTPRIO": 13,
    "RLMT_RTTIME": 14,
    "RLMT_SIGPENDING": 15,
    "RLMT_STACK": 16,
}
DOCKER_NETWORK: Final = {
    "HOST": 1,
    "BRIDGE": 2,
    "NONE": 3,
    "USER": 4,
}
CONTAINER_INFO_TYPE: Final = {
    "DOCKER": 1,
    "MESOS": 2,
}

if TYPE_CHECKING:
    CheckType: TypeAlias = str
    HealthCheckType: TypeAlias = str
    VariableType: TypeAlias = str
    SecretType: TypeAlias = str
    ImageType: TypeAlias = str
    MountPropagationMode: TypeAlias = str
    SandboxPathType: TypeAlias = str
    VolumeSourceType: TypeAlias = str
    VolumeMode: TypeAlias = str
    Protocol: TypeAlias = str
    LinuxCapability: TypeAlias = str
    IpcMode: TypeAlias = str
    RLimitType: TypeAlias = str
    DockerNetwork: TypeAlias = str
    ContainerInfoType: TypeAlias = str
else:
    CheckType = Literal[tuple(CHECK_TYPE)]
    HealthCheckType = Literal[tuple(HEALTH_CHECK_TYPE)]
    VariableType = Literal[tuple(VARIABLE_TYPE)]
    SecretType = Literal[tuple(SECRET_TYPE)]
    ImageType = Literal[tuple(IMAGE_TYPE)]
    MountPropagationMode = Literal[tuple(MOUNT_PROPAGATION_MODE)]
    SandboxPathType = Literal[tuple(SANDBOX_PATH_TYPE)]
    VolumeSourceType = Literal[tuple(VOLUME_SOURCE_TYPE)]
    VolumeMode = Literal[tuple(VOLUME_MODE)]
    Protocol = Literal[tuple(PROTOCOL)]
    LinuxCapability = Literal[tuple(LINUX_CAPABILITY)]
    IpcMode = Literal[tuple(IPC_MODE)]
    RLimitType = Literal[tuple(R_LIMIT_TYPE)]
    DockerNetwork = Literal[tuple(DOCKER_NETWORK)]
    ContainerInfoType = Literal[tuple(CONTAINER_INFO_TYPE)]
