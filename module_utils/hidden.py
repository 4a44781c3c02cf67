"""Secrets inside of definitions: found by their names, hidden wherever a module would show them.

An app or a job carries its secrets in its environment. Ansible shows a module's arguments with -vvv
and its differences with --diff, so their values are given to Ansible as values that it never shows.
"""

import re

SECRET_NAME = re.compile(r"secret|passw|token|credential|api_?key|private_?key|_auth$", re.I)
URL_PASSWORD = re.compile(r"//[^/@:\s]*:([^/@\s]+)@")
LENGTH_MINIMUM = 6
"""Shorter values are left alone: hiding each "true" would make a result useless."""


def hide_secrets(module, *documents):
    """Have Ansible hide the secrets of documents in all that the module says."""
    for document in documents:
        found = {value for value in secrets_of(document) if len(value) >= LENGTH_MINIMUM}
        module.no_log_values.update(found)


def secrets_of(document, name=""):
    """The secret texts of a JSON document: by the names of their members, and in URLs. Pure."""
    if isinstance(document, dict):
        # {"name": "PASSWORD", "value": "…"}, as Chronos writes a variable.
        named = {document["name"]: document["value"]} if {"name", "value"} <= set(document) else {}
        for key, value in (*document.items(), *named.items()):
            yield from secrets_of(value, str(key))
    elif isinstance(document, list):
        for each in document:
            yield from secrets_of(each, name)
    elif isinstance(document, str | int) and SECRET_NAME.search(name):
        yield str(document)
    elif isinstance(document, str):
        yield from URL_PASSWORD.findall(document)
