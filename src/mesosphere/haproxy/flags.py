"""The load balancer's flags: marathon-lb's where they still mean something.

Environment: `HAPROXY_LB_<NAME>` (the bare HAPROXY_ prefix belongs to labels).
"""

from mesosphere.kernel.flags import Flag

FLAGS: tuple[Flag, ...] = (
    Flag(
        "marathon",
        "repeat",
        ("http://127.0.0.1:8080",),
        "Marathon",
        "a Marathon to follow; give it several times to try them in turn",
    ),
    Flag(
        "auth_credentials",
        "str",
        None,
        "Marathon",
        "user:password for Marathon; name a file with file:// to keep it out of the process list",
        aliases=("marathon_auth_credential_file",),
        secret=True,
    ),
    Flag("max_backoff", "float", 300.0, "Marathon", "longest pause in seconds before reconnecting"),
    Flag("group", "repeat", ("external",), "Apps", "groups of apps that are served; * serves all"),
    Flag("strict_mode", "bool", False, "Apps", "serve only ports with HAPROXY_n_ENABLED=true"),
    Flag("health_check", "bool", True, "Apps", "serve only instances that Marathon calls alive"),
    Flag("haproxy_config", "str", "/etc/haproxy/haproxy.cfg", "HAProxy", "file that is written"),
    Flag("haproxy_binary", "str", "haproxy", "HAProxy", "the program that is run"),
    Flag("run_dir", "str", "/var/run/mesosphere-haproxy", "HAProxy", "directory of its sockets"),
    Flag("archive_versions", "int", 5, "HAProxy", "earlier configurations that are kept"),
    Flag("http_bind", "str", "*:80", "HAProxy", "address of the front for virtual hosts; -: none"),
    Flag("stats_bind", "str", "*:9090", "HAProxy", "address of the statistics and admin endpoint"),
    Flag("maxconn", "int", 10000, "HAProxy", "most connections, lowered to what the host allows"),
    Flag("haproxy_user", "str", None, "HAProxy", "user that HAProxy changes to after binding"),
    Flag("listen", "str", "127.0.0.1:9092", "Process", "address of this daemon's own endpoint"),
    Flag(
        "logging_level",
        "str",
        "INFO",
        "Process",
        "least level of the log lines written",
        choices=("DEBUG", "INFO", "WARNING", "ERROR"),
        aliases=("log_level",),
    ),
)
