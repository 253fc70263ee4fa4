"""Runs the service until it is told to stop, and then lets it end in order."""

import contextlib
import os
import resource
import socket
import threading
from collections.abc import Callable, Iterator
from types import FrameType

import structlog
import uvicorn
from fastapi import FastAPI

from restyle import tracing
from restyle.http.app import create_app
from restyle.http.connection import connections
from restyle.http.crowd import Crowd
from restyle.http.log import configure
from restyle.http.memory import give_large_blocks_back
from restyle.http.service import Service
from restyle.http.workshop import Workshop, create_workshop
from restyle.images.content import network_file
from restyle.settings import Settings, unknown_variables
from restyle.wire.codes import Code
from restyle.wire.errors import RestyleError

BACKLOG = 512
LINGER_SECONDS = 3
"""How long connections may stay open once everything has ended."""
MOST_HANDLES = 65_536
"""Nobody needs more, and some systems set no limit at all."""
OTHER_HANDLES = 256
"""Kept for what is no connection: the database, storage, workers."""

log = structlog.get_logger(__name__)


Extend = Callable[[FastAPI, Service], None]


def serve(
    settings: Settings, *, bound: Callable[[str], None] | None = None, extend: Extend | None = None, home: str = "docs"
) -> None:
    """Serve until SIGTERM or SIGINT; returns when everything has ended. Call it from the main thread.

    ``bound`` is called once requests are answered, with the address: ``http://127.0.0.1:8484``. ``extend`` adds pages
    of its own to the application before, and ``home`` is the one that a browser is led to from ``/``. The first signal
    drains: new tasks get 503, everything else is still answered, running tasks finish within
    ``settings.drain_seconds``, queued ones wait for the next start. A second signal ends the waiting. Raises
    RestyleError (5000) when the address cannot be bound, or an operator has to mend something first.
    """
    configure(settings)
    give_large_blocks_back()
    for name, like in unknown_variables(os.environ).items():
        log.warning("a variable is no setting, and has no effect", name=name, **({"meant": like} if like else {}))
    if settings.content_filter == "on" and settings.role != "api":
        network_file()
    handles = _raise_handles()
    crowd = Crowd(min(settings.max_connections, handles))
    tracing.start(settings.tracing_endpoint, settings.role, settings.machine_name)
    with _bind(settings.host, settings.port) as listener:
        service: Service | Workshop
        if settings.role == "worker":
            service = Workshop.open(settings)
            app = create_workshop(service)
        else:
            service = Service.open(settings)
            app = create_app(settings, service, home=home)
            if extend is not None:
                extend(app, service)
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="on",
            backlog=BACKLOG,
            http=connections(crowd, settings.head_seconds, settings.write_seconds),  # type: ignore[arg-type]
            ws="none",
            timeout_keep_alive=settings.idle_seconds,  # type: ignore[arg-type]
            forwarded_allow_ips=settings.trusted_proxies,
            timeout_graceful_shutdown=LINGER_SECONDS,
        )
        _Server(config, service, _address(listener), bound).run(sockets=[listener])
    tracing.stop()


class _Server(uvicorn.Server):
    """Uvicorn, with our own idea of how a service ends."""

    def __init__(
        self, config: uvicorn.Config, service: Service | Workshop, address: str, bound: Callable[[str], None] | None
    ) -> None:
        super().__init__(config)
        self._service = service
        self._address = address
        self._bound = bound

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        log.info("serving", address=self._address, pid=os.getpid())
        if self._bound is not None:
            self._bound(self._address)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        again = self._service.draining
        self._service.draining = True
        patience = 0.0 if again else None
        threading.Thread(target=self._end, args=(patience,), name="drain", daemon=True).start()

    def _end(self, patience: float | None) -> None:
        log.info("stopping", patience=self._service.settings.drain_seconds if patience is None else patience)
        self._service.drain(patience)
        self.should_exit = True


def _raise_handles() -> int:
    """Allow as many open handles as the system lets this process have; returns how many connections these allow.

    A connection that downloads a result has two: its own, and the file's.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_HANDLES if hard == resource.RLIM_INFINITY else min(hard, MOST_HANDLES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return max(8, (most - OTHER_HANDLES) // 2)


@contextlib.contextmanager
def _bind(host: str, port: int) -> Iterator[socket.socket]:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise RestyleError(
            Code.INTERNAL_ERROR, f"cannot bind {host} port {port}: {reason}; choose another host or port"
        ) from error
    with listener:
        yield listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
