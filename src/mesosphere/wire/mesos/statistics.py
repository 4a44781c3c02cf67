"""What a container uses, as agents report it.

Source: Mesos, include/mesos/v1/mesos.proto, ResourceStatistics.
"""

from mesosphere.wire.mesos.base import Double, Natural, UInt32, WireStruct


class ResourceStatistics(WireStruct, kw_only=True):
    """`timestamp` in seconds; the original's groups of perf, SNMP, traffic control, disks and block
    devices are not measured here.
    """

    timestamp: Double
    cpus_user_time_secs: Double | None = None
    cpus_system_time_secs: Double | None = None
    cpus_limit: Double | None = None
    mem_rss_bytes: Natural | None = None
    mem_limit_bytes: Natural | None = None
    cpus_nr_periods: UInt32 | None = None
    cpus_nr_throttled: UInt32 | None = None
    cpus_throttled_time_secs: Double | None = None
    mem_file_bytes: Natural | None = None
    mem_anon_bytes: Natural | None = None
    mem_mapped_file_bytes: Natural | None = None
    net_rx_packets: Natural | None = None
    net_rx_bytes: Natural | None = None
    net_rx_errors: Natural | None = None
    net_rx_dropped: Natural | None = None
    net_tx_packets: Natural | None = None
    net_tx_bytes: Natural | None = None
    net_tx_errors: Natural | None = None
    net_tx_dropped: Natural | None = None
    net_tcp_rtt_microsecs_p50: Double | None = None
    net_tcp_rtt_microsecs_p90: Double | None = None
    net_tcp_rtt_microsecs_p95: Double | None = None
    net_tcp_rtt_microsecs_p99: Double | None = None
    disk_limit_bytes: Natural | None = None
    disk_used_bytes: Natural | None = None
    net_tcp_active_connections: Double | None = None
    net_tcp_time_wait_connections: Double | None = None
    processes: UInt32 | None = None
    threads: UInt32 | None = None
    mem_low_pressure_counter: Natural | None = None
    mem_medium_pressure_counter: Natural | None = None
    mem_critical_pressure_counter: Natural | None = None
    mem_total_bytes: Natural | None = None
    mem_total_memsw_bytes: Natural | None = None
    mem_soft_limit_bytes: Natural | None = None
    mem_cache_bytes: Natural | None = None
    mem_swap_bytes: Natural | None = None
    mem_unevictable_bytes: Natural | None = None
    cpus_soft_limit: Double | None = None
    net_tx_rate_limit: Natural | None = None
    net_tx_burst_rate_limit: Natural | None = None
    net_tx_burst_size: Natural | None = None
    net_rx_rate_limit: Natural | None = None
    net_rx_burst_rate_limit: Natural | None = None
    net_rx_burst_size: Natural | None = None
    mem_kmem_usage_bytes: Natural | None = None
    mem_kmem_tcp_usage_bytes: Natural | None = None
