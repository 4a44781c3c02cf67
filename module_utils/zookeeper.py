"""ZooKeeper's four-letter words, and what they say about an ensemble."""

import re
import socket

WORD_TIMEOUT_S = 5
ANSWER_LIMIT_BYTES = 1024 * 1024
MEMBER = re.compile(
    r"server\.(?P<id>\d+)=(?P<host>\[[^\]]+\]|[^:]+):(?P<peer>\d+):(?P<election>\d+)"
    r"(?::(?P<role>participant|observer))?(?:;(?:(?P<bind>\[[^\]]+\]|[^:]+):)?(?P<client>\d+))?"
)


class EnsembleError(Exception):
    """What is wrong with an ensemble or a request to it. One sentence."""


def split_address(text, port=2181):
    """(host, port) of "host", "host:port" or "[v6]:port"."""
    host, colon, tail = text.rpartition(":")
    if colon and tail.isdigit() and not host.endswith(":"):
        return host.strip("[]"), int(tail)
    return text.strip("[]"), port


def ask(address, word, timeout_s=WORD_TIMEOUT_S):
    """What a server answers to a four-letter word. Raises EnsembleError."""
    host, port = split_address(address)
    received = b""
    try:
        with socket.create_connection((host, port), timeout_s) as connection:
            connection.settimeout(timeout_s)
            connection.sendall(word.encode())
            while chunk := connection.recv(65536):
                received += chunk
                if len(received) > ANSWER_LIMIT_BYTES:
                    raise EnsembleError(f"{address} answered {word} with too much")
    except OSError as error:
        raise EnsembleError(f"{address} does not answer: {error}") from error
    text = received.decode("utf-8", "replace")
    if "is not executed because it is not in the whitelist" in text:
        raise EnsembleError(f"{address} does not allow {word}; see 4lw.commands.whitelist")
    return text


def parse_srvr(text):
    """{version, mode, zxid, nodes, connections} of an answer to srvr. Raises EnsembleError."""
    fields = {}
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if colon:
            fields[name.strip()] = value.strip()
    if "Mode" not in fields:
        raise EnsembleError(" ".join(text.split())[:200] or "it closed the connection")
    version = fields.get("Zookeeper version", "").split("-")[0]
    return {
        "version": version,
        "mode": fields["Mode"],
        "zxid": fields.get("Zxid", ""),
        "nodes": int(fields.get("Node count", 0)),
        "connections": int(fields.get("Connections", 0)),
    }


def parse_members(text):
    """The members in a configuration: {id: {id, host, peer, election, role, client}}."""
    members = {}
    for line in text.splitlines():
        match = MEMBER.fullmatch(line.strip())
        if match is None:
            continue
        member = {key: match.group(key) for key in ("host", "role")}
        for key in ("id", "peer", "election", "client"):
            member[key] = int(match.group(key)) if match.group(key) else None
        member["host"] = member["host"].strip("[]")
        member["role"] = member["role"] or "participant"
        members[member["id"]] = member
    return members


def parse_configuration(text):
    """`key=value` lines of an answer to conf."""
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def member_state(address):
    """{address, answers, mode, id, members, ...} of a server; `fault` instead if it is not well."""
    try:
        state = parse_srvr(ask(address, "srvr"))
    except EnsembleError as error:
        return {"address": address, "answers": False, "mode": "", "fault": str(error)}
    try:
        text = ask(address, "conf")
    except EnsembleError:
        # Allowed by our role; a server of others may answer srvr only.
        text = ""
    settings = parse_configuration(text)
    return {
        "address": address,
        "answers": True,
        "id": int(settings.get("serverId", 0)),
        "members": parse_members(text),
        **state,
    }


def ensemble_state(addresses):
    """{servers, leader, answering, voters, has_quorum} of an ensemble, asked one by one."""
    servers = [member_state(address) for address in addresses]
    answering = [each for each in servers if each["answers"]]
    leading = [each for each in answering if each["mode"] in ("leader", "standalone")]
    voters = {}
    for each in leading or answering:
        voters = {
            key: value for key, value in each["members"].items() if value["role"] == "participant"
        }
        break
    return {
        "servers": servers,
        "leader": leading[0]["address"] if leading else "",
        "answering": [each["address"] for each in answering],
        "voters": sorted(voters),
        "has_quorum": bool(leading),
    }
