"""Options that many modules share, documented once; module_utils holds their specifications."""


class ModuleDocFragment:
    """`mesosphere` documents ACCESS_ARGUMENTS; the others add a component's URLs to them."""

    DOCUMENTATION = r"""
options:
  url_username:
    description: User, where the server wants one.
    type: str
  url_password:
    description: Password of O(url_username).
    type: str
  validate_certs:
    description: Whether the certificate of an C(https) URL must be valid.
    type: bool
    default: true
"""

    MASTER = (
        DOCUMENTATION
        + r"""
  master_url:
    description: URLs of masters, tried in turn; one that does not lead sends on to the leader.
    type: list
    elements: str
    default: ["http://127.0.0.1:5050"]
"""
    )

    MARATHON = (
        DOCUMENTATION
        + r"""
  marathon_url:
    description: URLs of Marathon, tried in turn; any Marathon passes requests to the leader.
    type: list
    elements: str
    default: ["http://127.0.0.1:8080"]
"""
    )
