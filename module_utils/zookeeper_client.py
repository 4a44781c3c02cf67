"""Modules that speak ZooKeeper's own protocol, with kazoo, which a release brings along."""

import contextlib
import traceback

from ansible.module_utils.basic import missing_required_lib
from ansible.module_utils.zookeeper import EnsembleError

try:
    from kazoo.client import KazooClient
    from kazoo.exceptions import (
        ConnectionClosedError,
        ConnectionLoss,
        KazooException,
        OperationTimeoutError,
        SessionExpiredError,
    )
    from kazoo.handlers.threading import KazooTimeoutError

    MISSING = None
    IN_DOUBT = (ConnectionClosedError, ConnectionLoss, OperationTimeoutError, SessionExpiredError)
    """These leave open whether what was asked for was done."""
except ImportError:
    MISSING = traceback.format_exc()
    IN_DOUBT = ()

CONNECT_TIMEOUT_S = 20


@contextlib.contextmanager
def connected(servers, credential=None, timeout_s=CONNECT_TIMEOUT_S):
    """A client with a session, `credential` being `user:password`."""
    client = KazooClient(
        hosts=",".join(servers),
        timeout=CONNECT_TIMEOUT_S,
        # The server that it speaks to may be the one that leaves.
        connection_retry={"max_tries": -1, "max_delay": 1},
        auth_data=[("digest", credential)] if credential else None,
    )
    try:
        client.start(timeout=timeout_s)
        yield client
    finally:
        with contextlib.suppress(KazooException):
            client.stop()
            client.close()


def perform(module, run):
    """End the module with what `run(module)` returns, or with a sentence for its error."""
    if MISSING is not None:
        module.fail_json(msg=missing_required_lib("kazoo"), exception=MISSING)
    try:
        result = run(module)
    except EnsembleError as error:
        module.fail_json(msg=str(error))
    except (KazooException, KazooTimeoutError) as error:
        name = type(error).__name__
        module.fail_json(msg=f"{', '.join(module.params['servers'])}: {name} {error}".strip())
    module.exit_json(**result)
