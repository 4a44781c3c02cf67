#!/usr/bin/python
"""Ansible module: a node of ZooKeeper has its data and its rights, or is not there."""

DOCUMENTATION = r"""
module: zookeeper_node
short_description: A node of ZooKeeper with data and access rights
description:
  - Makes a lasting node, writes its data and its list of rights, or removes it.
  - Every write names the version that was read, so it fails when somebody else has changed the node
    in between, and destroys nothing.
  - Needs kazoo; run it with a Python that has it, for example that of an installed release.
version_added: "0.2.0"
options:
  servers:
    description: Servers of the ensemble, C(host:port).
    type: list
    elements: str
    default: ["127.0.0.1:2181"]
  path:
    description: The node's path from the root.
    type: str
    required: true
  state:
    description: Whether it is there.
    type: str
    choices: [present, absent]
    default: present
  data:
    description: What it holds; it stays as it is if not given, and a new node is empty.
    type: str
  encoding:
    description: How O(data) is written here.
    type: str
    choices: [utf-8, base64]
    default: utf-8
  acl:
    description:
      - The whole list of rights, in any order; it stays as it is if not given, and a new node is
        open to all.
    type: list
    elements: dict
    suboptions:
      scheme:
        description: C(world), C(digest), C(ip), C(sasl), C(x509), or C(auth) for O(username).
        type: str
        required: true
      id:
        description: Who it is; C(anyone) for C(world), C(user:hash) for C(digest).
        type: str
        default: ""
      permissions:
        description: Letters of create, delete, read, write and admin, for example V(cdrwa).
        type: str
        required: true
  recursive:
    description: Make the nodes above it too; with O(state=absent) remove all that is below it.
    type: bool
    default: false
  version:
    description: Fail unless the node's data has this version, or the node is as wanted already.
    type: int
  username:
    description: User for C(digest).
    type: str
  password:
    description: Password of O(username).
    type: str
  timeout:
    description: Seconds until a server must answer.
    type: int
    default: 20
attributes:
  check_mode:
    support: full
    description: Says what would be changed, and refuses what can be seen to fail.
  diff_mode:
    support: full
    description: Shows data and rights before and after. Set C(no_log) where the data is secret.
author:
  - Mesosphere maintainers
"""

EXAMPLES = r"""
- name: A node that only one user may write
  zookeeper_node:
    servers: ["192.0.2.11:2181", "192.0.2.12:2181", "192.0.2.13:2181"]
    path: /shop/config
    data: "{{ shop_config | to_json }}"
    recursive: true
    username: shop
    password: "{{ shop_password }}"
    acl:
      - {scheme: auth, permissions: cdrwa}
      - {scheme: world, id: anyone, permissions: r}
  vars:
    ansible_python_interpreter: /opt/mesosphere/current/bin/python

- name: The shop is closed
  zookeeper_node:
    path: /shop
    state: absent
    recursive: true
"""

RETURN = r"""
version:
  description: Version of the node's data, after the change if there was one; -1 without a node.
  type: int
  returned: always
children:
  description: How many nodes are right below it.
  type: int
  returned: always
removed:
  description: How many nodes were (or would be) removed.
  type: int
  returned: when state is absent
"""

import base64
import hashlib

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.mesosphere_http import outcome
from ansible.module_utils.zookeeper import EnsembleError
from ansible.module_utils.zookeeper_client import connected, perform

try:
    from kazoo.exceptions import (
        BadVersionError,
        InvalidACLError,
        NoAuthError,
        NodeExistsError,
        NoNodeError,
        NotEmptyError,
    )
    from kazoo.security import ACL, Id
except ImportError:
    pass  # perform says so

ARGUMENTS = {
    "servers": {"type": "list", "elements": "str", "default": ["127.0.0.1:2181"]},
    "path": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "data": {"type": "str"},
    "encoding": {"type": "str", "choices": ["utf-8", "base64"], "default": "utf-8"},
    "acl": {
        "type": "list",
        "elements": "dict",
        "options": {
            "scheme": {"type": "str", "required": True},
            "id": {"type": "str", "default": ""},
            "permissions": {"type": "str", "required": True},
        },
    },
    "recursive": {"type": "bool", "default": False},
    "version": {"type": "int"},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "timeout": {"type": "int", "default": 20},
}
LETTERS = {"r": 1, "w": 2, "c": 4, "d": 8, "a": 16}
DATA_LIMIT_BYTES = 1_000_000
"""Servers take a little more than this by default, the path included."""
SHOWN_LIMIT = 2000
OPEN = [("world", "anyone", 31)]


# --- what is wanted -------------------------------------------------------------------------------


def checked_path(text, state):
    """A path from the root. Raises EnsembleError."""
    parts = text.split("/")
    if parts[0] != "" or text == "/" or any(part in ("", ".", "..") for part in parts[1:]):
        raise EnsembleError(f"{text!r} is no path of a node; give one such as /shop/config")
    if state == "absent" and parts[1] == "zookeeper":
        raise EnsembleError(f"{text} is ZooKeeper's own")
    return text


def wanted_data(text, encoding):
    """Bytes. Raises EnsembleError."""
    try:
        data = text.encode() if encoding == "utf-8" else base64.b64decode(text, validate=True)
    except ValueError as error:
        raise EnsembleError(f"data is no base64: {error}") from error
    if len(data) > DATA_LIMIT_BYTES:
        raise EnsembleError(
            f"data has {len(data)} bytes; a node takes {DATA_LIMIT_BYTES} with default settings"
        )
    return data


def wanted_rights(acl, username, password):
    """[(scheme, id, bits)] as the server will show them. Raises EnsembleError."""
    found = []
    for each in acl:
        scheme, who, letters = each["scheme"], each["id"], each["permissions"]
        wrong = sorted(set(letters) - set(LETTERS))
        if wrong or not letters:
            raise EnsembleError(f"permissions are letters of cdrwa, not {letters!r}")
        if scheme == "auth":
            if not username:
                raise EnsembleError("the scheme auth needs a username and a password")
            digest = hashlib.sha1(f"{username}:{password or ''}".encode()).digest()
            scheme, who = "digest", f"{username}:{base64.b64encode(digest).decode()}"
        found.append((scheme, who, sum(LETTERS[letter] for letter in set(letters))))
    if not found:
        raise EnsembleError("acl must name somebody, or nobody could ever change the node")
    return sorted(set(found))


def show_rights(rights):
    """Lists of rights to read."""
    return [
        f"{scheme}:{who}:{''.join(letter for letter in 'cdrwa' if bits & LETTERS[letter])}"
        for scheme, who, bits in rights
    ]


def show_data(data):
    """Data to read: text, or how much it is."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return f"{len(data)} bytes, {hashlib.sha256(data).hexdigest()[:16]}"
    if len(text) <= SHOWN_LIMIT:
        return text
    return f"{text[:SHOWN_LIMIT]}… ({len(data)} bytes, {hashlib.sha256(data).hexdigest()[:16]})"


# --- the node -------------------------------------------------------------------------------------


class Node:
    """One node, through a client; `stat` is None where there is none."""

    def __init__(self, client, path):
        self.client = client
        self.path = path
        self.read()

    def read(self):
        """Read it anew."""
        self.stat, self.data, self.rights = self.client.exists(self.path), b"", []
        if self.stat is None:
            return
        try:
            self.data, self.stat = self.client.get(self.path)
        except NoAuthError:
            self.data = None
        try:
            listed, _ = self.client.get_acls(self.path)
            self.rights = sorted((each.id.scheme, each.id.id, each.perms) for each in listed)
        except NoAuthError:
            self.rights = None

    def below(self):
        """The paths of all that is below it, the deepest first."""
        found, left = [], [self.path]
        while left:
            path = left.pop()
            found.append(path)
            left.extend(f"{path}/{name}" for name in self.client.get_children(path))
        return found[:0:-1]

    def nearest(self):
        """The path of the nearest node above it that is there; empty for the root."""
        path = self.path.rpartition("/")[0]
        while path and self.client.exists(path) is None:
            path = path.rpartition("/")[0]
        return path

    def create(self, data, rights):
        """Make it, and what is missing above it."""
        self.client.create(self.path, data, acl=as_acl(rights), makepath=True)

    def write(self, data, rights):
        """Write what is not None."""
        if data is not None:
            self.client.set(self.path, data, version=self.stat.version)
        if rights is not None:
            self.client.set_acls(self.path, as_acl(rights), version=self.stat.aversion)

    def remove(self, below):
        """Remove it and what is below it; what came meanwhile stays, and is told."""
        for path in below:
            try:
                self.client.delete(path)
            except NoNodeError:
                continue
        self.client.delete(self.path, version=self.stat.version)


def as_acl(rights):
    """Rights as kazoo takes them."""
    return [ACL(bits, Id(scheme, who)) for scheme, who, bits in rights]


def check_version(node, wanted):
    """Raises EnsembleError if the node has another version."""
    if wanted is not None and (node.stat is None or node.stat.version != wanted):
        has = "is not there" if node.stat is None else f"has version {node.stat.version}"
        raise EnsembleError(f"{node.path} {has}, not version {wanted}")


def make(module, node):
    """({path: (before, after)}, what to do). Raises EnsembleError."""
    given = module.params
    data = None if given["data"] is None else wanted_data(given["data"], given["encoding"])
    rights = given["acl"]
    if rights is not None:
        rights = wanted_rights(rights, given["username"], given["password"])
    if node.stat is None:
        check_version(node, given["version"])
        above, parent = node.nearest(), node.path.rpartition("/")[0]
        if above != parent and not given["recursive"]:
            raise EnsembleError(f"there is no node {parent}; set recursive to make it too")
        data, rights = data or b"", rights or OPEN
        found = {"data": (None, show_data(data)), "acl": (None, show_rights(rights))}
        return found, lambda: node.create(data, rights)
    found = {}
    if data is not None and data != node.data:
        before = "not readable" if node.data is None else show_data(node.data)
        found["data"] = before, show_data(data)
    if rights is not None and rights != node.rights:
        before = "not readable" if node.rights is None else show_rights(node.rights)
        found["acl"] = before, show_rights(rights)
    if found:
        check_version(node, given["version"])
        if node.stat.ephemeralOwner:
            raise EnsembleError(f"{node.path} is ephemeral, so it is its session's to change")
    changed = data if "data" in found else None, rights if "acl" in found else None
    return found, lambda: node.write(*changed)


def remove(module, node):
    """The same for a node that shall not be there, and how many nodes go."""
    if node.stat is None:
        return {}, None, 0
    check_version(node, module.params["version"])
    if node.stat.numChildren and not module.params["recursive"]:
        raise EnsembleError(
            f"{node.path} has {node.stat.numChildren} nodes below it; set recursive to remove them"
        )
    below = node.below()
    return {"nodes": (len(below) + 1, 0)}, lambda: node.remove(below), len(below) + 1


def change(module, node, act):
    """Carry it out, with a sentence for what somebody else has done meanwhile."""
    try:
        act()
    except NoAuthError as error:
        who = module.params["username"] or "anyone"
        raise EnsembleError(f"{who} has no right to change {node.path}") from error
    except (BadVersionError, NodeExistsError, NoNodeError, NotEmptyError) as error:
        raise EnsembleError(
            f"{node.path} was changed by somebody else meanwhile ({type(error).__name__});"
            " look at it, and run this again"
        ) from error
    except InvalidACLError as error:
        shown = ", ".join(f"{each['scheme']}:{each['id']}" for each in module.params["acl"] or ())
        raise EnsembleError(f"the servers don't know such rights: {shown}") from error


def run(module):
    """Bring the node about; the module's result. Raises EnsembleError."""
    given = module.params
    path = checked_path(given["path"], given["state"])
    credential = None
    if given["username"]:
        credential = f"{given['username']}:{given['password'] or ''}"
    with connected(given["servers"], credential, given["timeout"]) as client:
        node = Node(client, path)
        more = {}
        if given["state"] == "present":
            found, act = make(module, node)
        else:
            found, act, more["removed"] = remove(module, node)
        result = {**outcome(found, path), **more}
        if found and not module.check_mode:
            change(module, node, act)
            node.read()
        result["version"] = -1 if node.stat is None else node.stat.version
        result["children"] = 0 if node.stat is None else node.stat.numChildren
        return result


def main():
    """Read the arguments, act, report."""
    perform(module=AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True), run=run)


if __name__ == "__main__":
    main()
