"""Chronos's flags, with the original's names and units (times in ms or s as each name's help says).

Environment: `CHRONOS_<NAME>`; the web credentials also from MESOSPHERE_HTTP_CREDENTIALS.
"""

from mesosphere.kernel.flags import Flag

FLAGS: tuple[Flag, ...] = (
    Flag("master", "str", None, "Mesos", "zk://hosts/path or host:port of the masters", True),
    Flag("mesos_framework_name", "str", "chronos", "Mesos", "name of the framework"),
    Flag("mesos_role", "str", "*", "Mesos", "role whose resources are used"),
    Flag("mesos_checkpoint", "bool", True, "Mesos", "tasks survive a restart of the agent"),
    Flag("failover_timeout", "float", 604800.0, "Mesos", "seconds the master keeps our tasks"),
    Flag("user", "str", "root", "Mesos", "user that jobs run as unless they say otherwise"),
    Flag("mesos_authentication_principal", "str", None, "Mesos", "principal of the framework"),
    Flag("decline_offer_duration", "float", None, "Mesos", "ms an unused offer is declined for"),
    Flag("revive_offers_for_new_jobs", "bool", True, "Mesos", "offers are revived as jobs come"),
    Flag("reconciliation_interval", "float", 600.0, "Mesos", "seconds between reconciliations"),
    Flag("http_address", "str", "0.0.0.0", "HTTP", "address to listen on"),
    Flag("http_port", "port", 4400, "HTTP", "port to listen on"),
    Flag("hostname", "str", None, "HTTP", "name that other Chronos hosts reach this one by"),
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
    Flag("zk_hosts", "str", None, "State", "ZooKeeper as host:port,... or zk://...; none: files"),
    Flag("zk_path", "str", "/chronos/state", "State", "path of the state in ZooKeeper"),
    Flag("zk_timeout", "int", 10000, "State", "session timeout in ms"),
    Flag("zk_auth", "str", None, "State", "digest user:password for ZooKeeper", secret=True),
    Flag("state_dir", "str", "/var/lib/chronos", "State", "directory of the state if no ZooKeeper"),
    Flag("mesos_task_cpu", "float", 0.1, "Jobs", "cpus of a job that names none"),
    Flag("mesos_task_mem", "float", 128.0, "Jobs", "memory in MB of a job that names none"),
    Flag("mesos_task_disk", "float", 256.0, "Jobs", "disk in MB of a job that names none"),
    Flag("failure_retry", "int", 60000, "Jobs", "ms between a failure and the next attempt"),
    Flag(
        "disable_after_failures",
        "int",
        0,
        "Jobs",
        "failures in a row that disable a job",
    ),
    Flag("job_history_limit", "int", 5, "Jobs", "finished runs kept per job"),
    Flag("cluster_name", "str", "", "Notifications", "prefix of the subjects of notifications"),
    Flag("http_notification_url", "str", None, "Notifications", "URL that is told of failures"),
    Flag(
        "http_notification_credentials",
        "str",
        None,
        "Notifications",
        "user:password for --http_notification_url",
        secret=True,
    ),
    Flag(
        "slack_url",
        "str",
        None,
        "Notifications",
        "webhook of Slack that is told of failures",
        secret=True,
    ),
    Flag("mattermost_url", "str", None, "Notifications", "the same of Mattermost", secret=True),
    Flag(
        "logging_level",
        "str",
        "INFO",
        "Process",
        "least level of the log lines written",
        choices=("DEBUG", "INFO", "WARNING", "ERROR"),
    ),
)
