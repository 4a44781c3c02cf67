"""What the operator decided, as the core sees it. Names and defaults are Marathon's flags."""

import msgspec


class MarathonConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one Marathon. Times in seconds, `own_address` is what others reach us by."""

    master: str
    own_address: str = "localhost:8080"
    hostname: str = "localhost"
    http_port: int = 8080
    state_path: str = "/state"
    election_group: str = "/leader-curator"
    framework_name: str = "marathon"
    mesos_user: str = "root"
    mesos_role: str = "*"
    principal: str | None = None
    webui_url: str | None = None
    checkpoint: bool = True
    failover_timeout_s: float = 604800.0
    executor: str = "//cmd"
    features: tuple[str, ...] = ()
    env_vars_prefix: str | None = None
    default_network_name: str | None = None
    mesos_bridge_name: str = "mesos-bridge"
    local_port_min: int = 10000
    local_port_max: int = 20000
    max_apps: int | None = None
    max_running_deployments: int = 100
    max_versions: int = 50
    max_instances_per_offer: int = 5
    launch_tokens: int = 100
    launch_token_refresh_interval_s: float = 30.0
    decline_offer_duration_s: float = 120.0
    min_revive_offers_interval_s: float = 5.0
    suppress_offers: bool = True
    maintenance_mode: bool = True
    draining_s: float = 0.0
    task_launch_confirm_timeout_s: float = 300.0
    task_launch_timeout_s: float = 300.0
    reconciliation_initial_delay_s: float = 15.0
    reconciliation_interval_s: float = 600.0
    scale_apps_initial_delay_s: float = 15.0
    scale_apps_interval_s: float = 300.0
    task_lost_expunge_initial_delay_s: float = 300.0
    task_lost_expunge_interval_s: float = 30.0
    kill_chunk_size: int = 100
    kill_retry_timeout_s: float = 30.0
    kill_delay_s: float = 0.0
    """From the moment that a task is shown as TASK_KILLING to its KILL: load balancers' time."""
    max_concurrent_health_checks: int = 256
    event_stream_limit_bytes: int = 4 * 1024 * 1024
    access_control_allow_origin: tuple[str, ...] = ()
    http_credentials: str | None = None  # "user:password" that every request must carry
    http_realm: str = "Mesosphere"
    shown: dict[str, object] = {}
    """`marathon_config` and `zookeeper_config` of /v2/info."""
