"""The command that serves the live page."""

import socket
from importlib.util import find_spec
from typing import Annotated

import typer

from allpay.cli.console import in_one_line
from allpay.cli.examples import epilog_of
from allpay.cli.reports import app
from allpay.cores import one_thread
from allpay.errors import AllpayError, shortened
from allpay.versions import to_install

__all__ = ["app"]

LOCAL = ("127.0.0.1", "localhost", "::1")


@app.command("app", epilog=epilog_of("app"))
@in_one_line
def live(
    host: Annotated[
        str, typer.Option(help="the address to serve at; 0.0.0.0 lets everybody in the network in")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="the port to serve at", min=1, max=65535)] = 8080,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="open the page in a browser")] = True,
) -> None:
    """A live page: a contest on sliders, what it brings, the best split, and bidders who learn. Ctrl-C ends it."""
    if find_spec("nicegui") is None:
        raise AllpayError(f"the page needs NiceGUI: install it {to_install('app')}")
    _check_free(host, port)
    shown = f"[{host}]" if ":" in host else host
    typer.echo(f"allpay: the page is at http://{shown}:{port}/; Ctrl-C ends it", err=True)
    if host not in LOCAL:
        typer.echo("allpay: whoever reaches this address can use it; nothing asks for a password", err=True)
    from allpay.app.worker import Desk

    one_thread()
    desk = Desk()
    desk.start()
    from allpay.app.page import serve  # which takes as long as what the first process imports meanwhile

    serve(desk, host, port, browser)


def _check_free(host: str, port: int) -> None:
    """Raise AllpayError if the page cannot be served there."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with socket.socket(family) as found:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            found.bind(address)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "this is no address"
        raise AllpayError(
            f"cannot serve at {shortened(host, 80)}, port {port}: {reason}; give another --port, or --host 127.0.0.1"
        ) from None
