"""``genre serve``: a web page and an HTTP endpoint that name the genre of songs."""

import logging
import os
import signal
import socket
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from genre.errors import GenreError
from genre.predictor import load


def serve(checkpoint: Path, host: str, port: int, max_mb: int, max_minutes: int) -> None:
    """Serves a checkpoint until Ctrl-C.

    Args:
        checkpoint: The checkpoint of a fit.
        host: The address to listen on.
        port: The port; 0: a free one.
        max_mb: The largest upload in megabytes.
        max_minutes: The longest upload in minutes.

    Raises:
        GenreError: The checkpoint cannot be loaded, the address cannot be listened on, or a package is missing.
    """
    predictor = load(checkpoint)
    listener = listen(host, port)
    with listener, TemporaryDirectory(prefix="genre-serve-") as folder:
        # Gradio reads these when it is imported. The folder is where its uploads go until they are moved.
        os.environ.update(GRADIO_ANALYTICS_ENABLED="False", HF_HUB_DISABLE_TELEMETRY="1", GRADIO_TEMP_DIR=folder)
        try:
            import uvicorn

            from genre.serve.page import build_page
            from genre.serve.service import Service
            from genre.serve.upload import Decoder
        except ImportError as error:
            raise GenreError(f"genre serve needs {error.name}: pip install 'lightning-genre[serve]'") from None
        service = Service(predictor, Decoder(Path(folder), max_minutes), max_mb)
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{listener.getsockname()[1]}"
        ready = f"genre: serving {checkpoint} at {address}; Ctrl-C ends it"
        app = build_page(service.app(lambda: print(ready, flush=True)), service, checkpoint)
        # log_config None: uvicorn's loggers have no handler of their own; its access log would name uploads.
        config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1, ws="none")

        class Server(uvicorn.Server):
            async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
                """Logs nothing about requests that are cut off, such as those of open pages."""
                logging.getLogger("uvicorn.error").disabled = True
                await super().shutdown(sockets)

        try:
            Server(config).run(sockets=[listener])
        except KeyboardInterrupt:  # uvicorn raises the signal again when it has shut down
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        print("genre: stopped", file=sys.stderr)


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on an address.

    Raises:
        GenreError: The port is in use or may not be used, or the host is no address of this machine.
    """
    if not 0 <= port < 1 << 16:
        raise GenreError(f"--port {port}: expected 0 to 65535")
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise GenreError(f"--host {host}: {error.strerror}") from None
    both = family == socket.AF_INET6 and socket.has_dualstack_ipv6()  # `::` listens on IPv4, too
    try:
        return socket.create_server(address, family=family, backlog=128, dualstack_ipv6=both)
    except OSError as error:
        reason = os.strerror(error.errno or 0)  # the error's own text repeats the address
        raise GenreError(f"{host}:{port}: cannot be listened on ({reason}); choose another --port or --host") from None
