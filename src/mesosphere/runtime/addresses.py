"""How others reach this host."""

import socket

from mesosphere.kernel.flags import UsageError


def advertised_address(given: str | None, listening: str) -> str:
    """The IP address to tell others: as given, else what we listen on, else the way out's.

    Raises UsageError for a name that can't be resolved.
    """
    name = given or listening
    if name not in ("", "0.0.0.0", "::"):
        try:
            return socket.gethostbyname(name)
        except OSError as error:
            raise UsageError(f"--ip, --advertise_ip: not an address of a host: {error}") from error
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # No packet is sent: connecting a datagram socket only chooses the way out.
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def host_name(ip: str) -> str:
    """The host's name: its own if it is known by it, else the address."""
    if ip.startswith("127."):
        return "localhost"
    try:
        return socket.gethostbyaddr(ip)[0]
    except OSError:
        return socket.getfqdn() or ip
