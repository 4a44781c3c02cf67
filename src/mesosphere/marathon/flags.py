"""Marathon's flags, with the original's names, units and defaults (times in ms or s as told).

Environment: `MARATHON_<NAME>`; the web credentials also from MESOSPHERE_HTTP_CREDENTIALS.
Source: Marathon, "Command Line Flags".
"""

from mesosphere.kernel.flags import Flag

_MESOS = (
    Flag("master", "str", None, "Mesos", "zk://hosts/path or host:port of the masters", True),
    Flag("framework_name", "str", "marathon", "Mesos", "name of the framework"),
    Flag("failover_timeout", "float", 604800.0, "Mesos", "seconds the master keeps our tasks"),
    Flag("checkpoint", "bool", True, "Mesos", "tasks survive a restart of the agent"),
    Flag("mesos_role", "str", "*", "Mesos", "role whose resources are used"),
    Flag("mesos_user", "str", None, "Mesos", "user that tasks run as; default: our own user"),
    Flag("mesos_authentication_principal", "str", None, "Mesos", "principal of the framework"),
    Flag("executor", "str", "//cmd", "Mesos", "executor of apps that name none"),
    Flag("mesos_bridge_name", "str", "mesos-bridge", "Mesos", "network of container/bridge"),
    Flag("default_network_name", "str", None, "Mesos", "network of apps that name none"),
    Flag("mesos_leader_ui_url", "str", None, "Mesos", "URL of the masters' user interface"),
)

_STATE = (
    Flag("zk", "str", None, "State", "zk://[user:pass@]hosts/path of the state; none: files"),
    Flag("state_dir", "str", "/var/lib/marathon", "State", "directory of the state without --zk"),
    Flag("zk_session_timeout", "int", 10000, "State", "ZooKeeper session timeout in ms"),
    Flag("zk_max_versions", "int", 50, "State", "versions kept of each app and of the tree"),
)

_HTTP = (
    Flag("hostname", "str", None, "HTTP", "name that others reach this host by"),
    Flag("http_address", "str", "0.0.0.0", "HTTP", "address to listen on"),
    Flag("http_port", "port", 8080, "HTTP", "port to listen on"),
    Flag("webui_url", "str", None, "HTTP", "URL shown in the framework's description"),
    Flag(
        "http_credentials",
        "str",
        None,
        "HTTP",
        "user:password that every request must carry; name a file with file:// to keep it out of"
        " the process list",
        secret=True,
    ),
    Flag("http_realm", "str", "Mesosphere", "HTTP", "realm that is shown to who has none"),
    Flag(
        "access_control_allow_origin",
        "list",
        (),
        "HTTP",
        "origins that a browser may call from; the last one is sent",
    ),
    Flag(
        "event_stream_max_outstanding_messages",
        "int",
        1024,
        "HTTP",
        "events (of 4 KiB) that a slow listener may be behind before it is cut off",
    ),
)

_APPS = (
    Flag(
        "enable_features",
        "list",
        (),
        "Apps",
        "features that are off: vips, task_killing, external_volumes, secrets, gpu_resources",
    ),
    Flag("env_vars_prefix", "str", None, "Apps", "prefix of the variables PORT* and HOST"),
    Flag("local_port_min", "int", 10000, "Apps", "lowest service port that is assigned"),
    Flag("local_port_max", "int", 20000, "Apps", "highest service port that is assigned"),
    Flag("max_apps", "int", None, "Apps", "how many apps there may be"),
    Flag("max_running_deployments", "int", 100, "Apps", "how many deployments may run at once"),
)

_LAUNCHING = (
    Flag("max_instances_per_offer", "int", 5, "Launching", "instances placed on one offer"),
    Flag("launch_tokens", "int", 100, "Launching", "launches before tasks are seen to run"),
    Flag("launch_token_refresh_interval", "int", 30000, "Launching", "ms until they are refilled"),
    Flag(
        "decline_offer_duration", "int", 120000, "Launching", "ms that an unused offer is refused"
    ),
    Flag("min_revive_offers_interval", "int", 5000, "Launching", "least ms between two REVIVEs"),
    Flag("suppress_offers", "bool", True, "Launching", "no offers while nothing waits"),
    Flag("maintenance_mode", "bool", True, "Launching", "agents in maintenance are not used"),
    Flag("draining_seconds", "int", 0, "Launching", "seconds before maintenance to stop launching"),
)

_SUPERVISION = (
    Flag("task_launch_timeout", "int", 300000, "Supervision", "ms a task may take to run"),
    Flag(
        "task_launch_confirm_timeout",
        "int",
        300000,
        "Supervision",
        "ms until a launch must be heard of",
    ),
    Flag("reconciliation_interval", "int", 600000, "Supervision", "ms between reconciliations"),
    Flag("scale_apps_initial_delay", "int", 15000, "Supervision", "ms until the first scale check"),
    Flag("scale_apps_interval", "int", 300000, "Supervision", "ms between checks of all counts"),
    Flag("kill_chunk_size", "int", 100, "Supervision", "kills under way at one time"),
    Flag("kill_retry_timeout", "int", 30000, "Supervision", "ms until a kill is sent again"),
    Flag(
        "kill_delay",
        "int",
        0,
        "Supervision",
        "ms a task is shown as TASK_KILLING before it is killed, for load balancers to turn away",
    ),
    Flag(
        "max_concurrent_marathon_health_checks",
        "int",
        256,
        "Supervision",
        "health checks under way at one time",
    ),
)

_KEPT = "Kept for old command lines; without effect here"

_WITHOUT_EFFECT = tuple(
    Flag(name, kind, None, _KEPT, why)
    for name, kind, why in (
        ("ha", "bool", "every Marathon with --zk takes part in the election"),
        ("zk_timeout", "int", "ms; the session timeout counts"),
        ("zk_connection_timeout", "int", "ms; connecting is tried for ever"),
        ("zk_compression", "bool", "entries are small, none is compressed"),
        ("zk_compression_threshold", "int", "bytes; none is compressed"),
        ("zk_max_node_size", "int", "bytes; the store's own limit counts"),
        ("store_cache", "bool", "the state is always in memory"),
        ("storage_compaction_interval", "int", "old versions go as new ones come"),
        ("on_elected_prepare_timeout", "int", "ms; loading has no deadline"),
        ("offer_matching_timeout", "int", "ms; offers are answered at once"),
        ("reconciliation_initial_delay", "int", "ms; tasks are asked for at once"),
        ("task_lost_expunge_initial_delay", "int", "ms; each instance has its own timer"),
        ("task_lost_expunge_interval", "int", "ms; each instance has its own timer"),
        ("task_reservation_timeout", "int", "ms; reservations are not made yet"),
        ("leader_proxy_connection_timeout", "int", "ms; the runtime's limits count"),
        ("leader_proxy_read_timeout", "int", "ms; the runtime's limits count"),
        ("leader_proxy_max_open_connections", "int", "the runtime's limits count"),
        ("mesos_heartbeat_interval", "int", "ms; the master tells it"),
        ("mesos_heartbeat_failure_threshold", "int", "five missed heartbeats end a stream"),
        ("graceful_shutdown_timeout", "int", "ms; ending takes two seconds at most"),
        ("http_compression", "bool", "answers are not compressed"),
        ("deprecated_features", "list", "old forms of requests are always understood"),
        ("metrics_prometheus", "bool", "/metrics/prometheus is always there"),
        ("metrics_name_prefix", "str", "names begin with marathon"),
    )
)

_PROCESS = (
    Flag(
        "logging_level",
        "str",
        "INFO",
        "Process",
        "least level of the log lines written",
        choices=("DEBUG", "INFO", "WARNING", "ERROR"),
    ),
)

FLAGS: tuple[Flag, ...] = (
    *_MESOS,
    *_STATE,
    *_HTTP,
    *_APPS,
    *_LAUNCHING,
    *_SUPERVISION,
    *_PROCESS,
    *_WITHOUT_EFFECT,
)
