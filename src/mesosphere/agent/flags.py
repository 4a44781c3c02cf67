"""The agent's flags, with the original's names and defaults unless the help says otherwise.

Environment: `MESOS_<NAME>`. Source: "Mesos: agent flags" (apache/mesos src/slave/flags.cpp).
"""

from mesosphere.kernel.flags import Flag

_LINK = (
    Flag("master", "str", None, "Master", "host:port of the master or zk://hosts/path", True),
    Flag(
        "registration_backoff_factor", "duration", 1.0, "Master",
        "attempts to register start within this time; it doubles to 1 minute",
    ),
    Flag("zk_session_timeout", "duration", 10.0, "Master", "ZooKeeper session timeout"),
)  # fmt: skip

_ADDRESS = (
    Flag("ip", "str", None, "Address", "address to listen on; default: all, and show the host's"),
    Flag("port", "port", 5051, "Address", "port to listen on"),
    Flag("advertise_ip", "str", None, "Address", "address that others reach this agent by"),
    Flag("advertise_port", "port", None, "Address", "port that others reach this agent by"),
    Flag("hostname", "str", None, "Address", "name that is shown; default: that of the host"),
)

_DIRECTORIES = (
    Flag("work_dir", "str", None, "Directories", "sandboxes and checkpoints; keep it", True),
    Flag(
        "runtime_dir", "str", None, "Directories",
        "supervisor's socket and bundles; default: run below the work directory",
    ),
    Flag("gc_delay", "duration", 604800.0, "Directories", "sandboxes of ended tasks stay so long"),
    Flag(
        "gc_disk_headroom", "float", 0.1, "Directories",
        "part of the disk to keep free: sandboxes go earlier as it fills",
    ),
    Flag(
        "max_stdout_size", "bytes", 10 * 1024**2, "Directories",
        "a task's stdout that outgrows this becomes stdout.1, and so on; 0: it grows",
    ),
    Flag("max_stderr_size", "bytes", 10 * 1024**2, "Directories", "the same for stderr"),
    Flag("max_log_files", "int", 9, "Directories", "old files of each that are kept"),
    Flag(
        "disk_reserve", "bytes", 16 * 1024**2, "Directories",
        "held back in the work directory, so that a full disk does not stop the agent; 0: none",
    ),
    Flag("disk_watch_interval", "duration", 60.0, "Directories", "how often old sandboxes go"),
)  # fmt: skip

_RESOURCES = (
    Flag(
        "resources", "str", None, "Resources",
        "cpus:4;mem:1024;ports:[31000-32000] or JSON; what is not named is detected",
    ),
    Flag("default_role", "str", "*", "Resources", "role of resources that name none"),
    Flag(
        "nvidia_gpu_devices", "list", (), "Resources",
        "numbers of the GPUs that tasks may have, with gpu/nvidia in --isolation; default: all",
    ),
    Flag(
        "resource_estimator", "str", "", "Resources",
        "fixed: lend resources that are not used, as revocable ones; noop or empty: lend none",
    ),
    Flag(
        "oversubscribed_resources", "str", "", "Resources",
        "what the fixed estimator lends, cpus:8;mem:1024; else its parameter in --modules",
    ),
    Flag(
        "qos_controller", "str", "", "Resources",
        "load: end tasks on lent resources while the host is too busy; noop or empty: never",
    ),
    Flag(
        "revocable_cpu_low_priority", "bool", True, "Resources",
        "tasks on lent CPUs get a hundredth of the shares of others",
    ),
    Flag(
        "modules", "str", None, "Resources",
        "JSON of modules, read for the parameters of the estimator and the controller",
    ),
    Flag("attributes", "str", None, "Resources", "rack:abc;zone:west: what frameworks may match"),
    Flag("domain", "str", None, "Resources", "the fault domain as JSON: region and zone"),
)  # fmt: skip

_CONTAINERS = (
    Flag(
        "isolation", "str", "auto", "Containers",
        "auto: an OCI runtime where one works, else posix; a list with 'posix' only or with"
        " 'cgroups/..' forces one; namespaces/pid gives tasks a process tree of their own",
    ),
    Flag("oci_runtime", "str", "", "Containers", "name or path; default: crun or runc"),
    Flag(
        "cgroups_enable_cfs", "bool", True, "Containers",
        "hold tasks to their CPUs by quota (the original's default is false)",
    ),
    Flag("cgroups_limit_swap", "bool", False, "Containers", "memory limits include swap"),
    Flag("cgroups_root", "str", "mesos", "Containers", "name of the control group of all tasks"),
    Flag("cgroups_pids_limit", "int", 4096, "Containers", "most processes of one task"),
    Flag(
        "container_disk_watch_interval", "duration", 15.0, "Containers",
        "how often the sandboxes of running tasks are measured",
    ),
    Flag(
        "enforce_container_disk_quota", "bool", False, "Containers",
        "end tasks whose sandbox outgrows their disk resource",
    ),
    Flag("switch_user", "bool", True, "Containers", "run tasks as their user (needs root)"),
    Flag(
        "executor_registration_timeout", "duration", 60.0, "Containers",
        "a custom executor that has not subscribed so long after its launch is ended",
    ),
    Flag(
        "executor_shutdown_grace_period", "duration", 5.0, "Containers",
        "time for executors to end after SHUTDOWN; told as MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD",
    ),
    Flag(
        "http_heartbeat_interval", "duration", 30.0, "Containers",
        "how often those who are attached to a container's output get a heartbeat",
    ),
    Flag(
        "executor_environment_variables", "str", None, "Containers",
        "JSON object of variables that every task gets",
    ),
    Flag("recovery_timeout", "duration", 900.0, "Containers", "told as MESOS_RECOVERY_TIMEOUT"),
    Flag(
        "executor_reregistration_timeout", "duration", 2.0, "Containers",
        "custom executors have so long to come back after a restart of the agent;"
        " told as MESOS_SUBSCRIPTION_BACKOFF_MAX",
    ),
)  # fmt: skip

_LINUX = (
    Flag(
        "effective_capabilities", "str", None, "Linux",
        'JSON {"capabilities": ["NET_RAW", ..]}: what tasks have that ask for none',
    ),
    Flag(
        "bounding_capabilities", "str", None, "Linux",
        "JSON as above: the most that a task may have or ask for",
    ),
    Flag("seccomp_config_dir", "str", "", "Linux", "directory of seccomp profiles"),
    Flag("seccomp_profile_name", "str", "", "Linux", "profile of tasks that name none"),
    Flag(
        "default_container_shm_size", "int", 64, "Linux",
        "MiB of shared memory in a container with IPC of its own",
    ),
    Flag(
        "disallow_sharing_agent_pid_namespace", "bool", False, "Linux",
        "with namespaces/pid, no task may ask for the process ids of the host",
    ),
    Flag(
        "read_only_host", "bool", False, "Linux",
        "tasks without an image can write in their sandbox and volumes only",
    ),
)  # fmt: skip

_NETWORKS = (
    Flag(
        "network_cni_config_dir", "str", "", "Networks",
        "directory of CNI configurations; a task joins one by its `name`",
    ),
    Flag(
        "network_cni_plugins_dir", "str", "/opt/cni/bin:/usr/lib/cni", "Networks",
        "directories of CNI plugins",
    ),
    Flag(
        "bridge_network", "str", "mesos-bridge", "Networks",
        "network of containers of type DOCKER with BRIDGE; there without any configuration",
    ),
    Flag(
        "bridge_subnet", "str", "172.30.0.0/16", "Networks",
        "its addresses; empty: there is no such network",
    ),
)  # fmt: skip

_IMAGES = (
    Flag(
        "image_providers", "str", "docker", "Images",
        "docker, or empty to run no images (the original's default is empty)",
    ),
    Flag(
        "docker_registry", "str", "https://registry-1.docker.io", "Images",
        "server of names without one, or a directory of OCI layouts and docker save archives",
    ),
    Flag("docker_config", "str", "", "Images", "path of a config.json with credentials"),
    Flag(
        "docker_store_dir", "str", None, "Images",
        "unpacked images; default: store/docker below the work directory",
    ),
    Flag(
        "image_provisioner_backend", "str", "auto", "Images",
        "overlay, copy, or auto: overlay where it works", choices=("auto", "overlay", "copy"),
    ),
    Flag(
        "image_gc_config", "str", None, "Images",
        'JSON {"image_disk_headroom": 0.1, "image_disk_watch_interval": {"nanoseconds": ..},'
        ' "excluded_images": [{"type": "DOCKER", "docker": {"name": ..}}]}; none: no automatic end',
    ),
    Flag(
        "sandbox_directory", "str", "/mnt/mesos/sandbox", "Images",
        "where a container with an image finds its sandbox",
    ),
)  # fmt: skip

_FETCHER = (
    Flag("frameworks_home", "str", "", "Fetcher", "directory that relative URIs are below"),
    Flag("fetcher_stall_timeout", "duration", 60.0, "Fetcher", "longest silence of a server"),
    Flag(
        "fetcher_cache_dir", "str", None, "Fetcher",
        "files of URIs with `cache`, forgotten at the start; default: fetch in the work directory",
    ),
    Flag(
        "fetcher_cache_size", "bytes", 2 * 1024**3, "Fetcher",
        "most that the cache keeps: 2GB, 500MB",
    ),
    Flag(
        "fetcher_size_limit", "bytes", 20 * 1024**3, "Fetcher",
        "most bytes that one URI may bring or unpack to",
    ),
)  # fmt: skip

_OTHERS = (
    Flag(
        "max_completed_executors_per_framework", "int", 150, "Other",
        "ended tasks of a framework that /state shows",
    ),
    Flag("external_log_file", "str", "", "Other", "file that /files serves as /slave/log"),
    Flag(
        "logging_level", "str", "INFO", "Other", "DEBUG, INFO, WARNING or ERROR",
        choices=("DEBUG", "INFO", "WARNING", "ERROR"),
    ),
)  # fmt: skip

FLAGS = (
    *_LINK,
    *_ADDRESS,
    *_DIRECTORIES,
    *_RESOURCES,
    *_CONTAINERS,
    *_LINUX,
    *_NETWORKS,
    *_IMAGES,
    *_FETCHER,
    *_OTHERS,
)
