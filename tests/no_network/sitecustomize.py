"""No network for the tests, in this process and, on its path, in every one that it starts.

Sockets of this machine stay: Dask and multiprocessing talk over them.
"""

import socket
from typing import Any

#: Names of this machine; Dask listens on "0.0.0.0", every address of it.
HERE = ("127.0.0.1", "::1", "localhost", "0.0.0.0", "::", "", None)
_connect, _connect_ex, _getaddrinfo = (
    *(socket.socket.connect, socket.socket.connect_ex),
    socket.getaddrinfo,
)


def _check(host: object) -> None:
    name = host.decode() if isinstance(host, bytes) else host
    if name not in HERE:
        raise AssertionError(f"a test reached for the network: {name}")


def _guarded(function: Any) -> Any:
    def connect(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            _check(address[0])
        return function(self, address)

    return connect


def _asked(host: Any, *args: Any, **kwargs: Any) -> Any:
    _check(host)
    return _getaddrinfo(host, *args, **kwargs)


socket.socket.connect = _guarded(_connect)  # type: ignore[method-assign]
socket.socket.connect_ex = _guarded(_connect_ex)  # type: ignore[method-assign]
socket.getaddrinfo = _asked
