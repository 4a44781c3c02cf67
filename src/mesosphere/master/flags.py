"""The master's flags: the original's names and defaults (but for offer_timeout).

Environment: `MESOS_<NAME>`. Flags that name what this master does otherwise (its registry is in
ZooKeeper or in the work directory, not a replicated log of its own) are taken and logged as
without effect, so that existing command lines keep working.
"""

from mesosphere.kernel.flags import Flag

NO_EFFECT = "taken for compatibility, without effect: the registry is in ZooKeeper or work_dir"

FLAGS: tuple[Flag, ...] = (
    Flag("ip", "str", "0.0.0.0", "Network", "address to listen on"),
    Flag("port", "port", 5050, "Network", "port to listen on"),
    Flag("advertise_ip", "str", None, "Network", "address that others reach this master by"),
    Flag("advertise_port", "port", None, "Network", "port that others reach this master by"),
    Flag("hostname", "str", None, "Network", "name shown and used in redirects"),
    Flag("hostname_lookup", "bool", True, "Network", "look the name up if none is given"),
    Flag("zk", "str", None, "High availability", "zk://hosts/path of the election; none: alone"),
    Flag("zk_session_timeout", "duration", 10.0, "High availability", "ZooKeeper session timeout"),
    Flag("work_dir", "str", "/var/lib/mesos", "State", "directory of the registry if alone"),
    Flag("quorum", "int", None, "State", NO_EFFECT),
    Flag("registry", "str", "replicated_log", "State", NO_EFFECT),
    Flag("log_auto_initialize", "bool", True, "State", NO_EFFECT),
    Flag("cluster", "str", None, "Cluster", "name of the cluster"),
    Flag("roles", "list", (), "Cluster", "roles that frameworks may have; none: any"),
    Flag("weights", "str", None, "Cluster", "weights of roles as role=weight,role=weight"),
    Flag("root_submissions", "bool", True, "Cluster", "root may submit frameworks"),
    Flag("allocation_interval", "duration", 1.0, "Allocation", "time between batch allocations"),
    Flag(
        "offer_timeout",
        "duration",
        300.0,
        "Allocation",
        "offers are taken back after this time, 0secs: never (the original never does)",
    ),
    Flag("filter_gpu_resources", "bool", True, "Allocation", "keep GPU agents for GPU frameworks"),
    Flag(
        "fair_sharing_excluded_resource_names",
        "list",
        (),
        "Allocation",
        "resources that do not count for fair sharing",
    ),
    Flag(
        "agent_ping_timeout",
        "duration",
        15.0,
        "Agents",
        "time between pings",
        aliases=("slave_ping_timeout",),
    ),
    Flag(
        "max_agent_ping_timeouts",
        "int",
        5,
        "Agents",
        "pings missed before an agent is unreachable",
        aliases=("max_slave_ping_timeouts",),
    ),
    Flag(
        "agent_reregister_timeout",
        "duration",
        600.0,
        "Agents",
        "time for agents to come back after a change of leader",
        aliases=("slave_reregister_timeout",),
    ),
    Flag(
        "agent_removal_rate_limit",
        "str",
        None,
        "Agents",
        "agents marked unreachable at most, as N/duration (1/20mins)",
        aliases=("slave_removal_rate_limit",),
    ),
    Flag(
        "recovery_agent_removal_limit",
        "str",
        "100%",
        "Agents",
        "part of the agents that may be missing after a change of leader; more end the master",
        aliases=("recovery_slave_removal_limit",),
    ),
    Flag(
        "registry_gc_interval",
        "duration",
        900.0,
        "Registry",
        "time between clean-ups of unreachable and gone agents",
    ),
    Flag(
        "registry_max_agent_age",
        "duration",
        1_209_600.0,
        "Registry",
        "unreachable and gone agents are remembered so long",
    ),
    Flag(
        "registry_max_agent_count",
        "int",
        102_400,
        "Registry",
        "unreachable agents remembered, and as many gone ones",
    ),
    Flag("max_completed_frameworks", "int", 50, "Limits", "completed frameworks kept"),
    Flag("max_completed_tasks_per_framework", "int", 1000, "Limits", "completed tasks kept"),
    Flag("max_unreachable_tasks_per_framework", "int", 1000, "Limits", "unreachable tasks kept"),
    Flag("max_operator_event_stream_subscribers", "int", 1000, "Limits", "operators who follow"),
    Flag("external_log_file", "str", None, "Process", "log file served as /master/log"),
    Flag(
        "logging_level",
        "str",
        "INFO",
        "Process",
        "least level of the log lines written",
        choices=("DEBUG", "INFO", "WARNING", "ERROR"),
    ),
)
