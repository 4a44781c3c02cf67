"""What the core needs to know about its host, as a value that the service's probe fills."""

import msgspec


class Host(msgspec.Struct, frozen=True):
    """Facts about this host and the choice of isolation, with its reason.

    `isolation` is "oci" or "posix". `cgroup_mounts` maps a controller to its hierarchy's directory
    (version 1) or "unified" to the one of version 2. Directories are absolute paths. `why_no_..`
    are sentences that say what is missing, "" where nothing is. Capabilities begin with "CAP_".
    """

    isolation: str
    reason: str
    work_dir: str
    runtime_dir: str
    is_root: bool = False
    runtime: str = ""
    capabilities: tuple[str, ...] = ()
    private_root: str = ""
    cgroup_version: int = 0
    cgroup_mounts: dict[str, str] = {}
    pid_namespace: bool = False
    cgroups_root: str = "mesos"
    enable_cfs: bool = True
    limit_swap: bool = False
    switch_user: bool = True
    pids_limit: int = 4096
    frameworks_home: str = ""
    stall_timeout_s: float = 60.0
    fetch_limit_bytes: int = 20 * 1024**3
    fetch_cache_dir: str = ""
    fetch_cache_bytes: int = 0
    stdout_bytes: int = 10 * 1024**2
    stderr_bytes: int = 10 * 1024**2
    log_files: int = 9
    gpu_devices: tuple[int, ...] = ()
    device_directory: str = "/dev"
    revocable_low_priority: bool = True
    boot_id: str = ""
    agent_user: str = "root"
    ipc_namespace: bool = False
    forbid_sharing_pid: bool = False
    shm_mib: int = 64
    effective_capabilities: tuple[str, ...] | None = None
    bounding_capabilities: tuple[str, ...] | None = None
    seccomp_dir: str = ""
    seccomp_profile: str = ""
    read_only_root: bool = False
    sandbox_directory: str = "/mnt/mesos/sandbox"
    why_no_images: str = ""
    image_backend: str = "copy"
    image_store: str = ""
    docker_registry: str = ""
    docker_config: str = ""
    why_no_networks: str = "no --network_cni_config_dir is given"
    cni_config_dir: str = ""
    cni_plugins_dir: str = ""
    bridge_network: str = "mesos-bridge"
    bridge_subnet: str = ""
