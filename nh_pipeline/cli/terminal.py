"""What all commands share: where they print, how they stop, the settings."""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING, NoReturn

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.settings import Settings

FAILED, USAGE, QUARANTINED = 1, 2, 3
"""Exit codes; 0 is done, and 128 and its number that a signal ended the command."""

console, errors = Console(highlight=False), Console(stderr=True, highlight=False)


def stop(message: str, code: int, *, soft_wrap: bool = False) -> NoReturn:
    """Ends the command with a message."""
    errors.print(message, style="red", markup=False, soft_wrap=soft_wrap)
    raise typer.Exit(code)


def read_settings() -> Settings:
    """The settings, or the end of the command."""
    from nh_pipeline.errors import explain
    from nh_pipeline.settings import Settings

    try:
        return Settings()
    except ValidationError as error:
        stop(explain(error) or str(error), USAGE)


def lake_of(found: Settings) -> Lake:
    """The lake of the settings; says so where there is none, as its address may be a typing error."""
    from nh_pipeline.lake.lake import Lake

    lake = Lake(found.home, found.catalog_properties)
    if lake.storage.local and not lake.storage.exists(""):
        told = f"There is no lake at {found.home} (NH_HOME) yet; nh run makes one"
        errors.print(told, style="yellow", markup=False)
    return lake


def require_port(port: int) -> None:
    """Ends the command if a server of this machine cannot have the port."""
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
        try:
            tried.bind(("127.0.0.1", port))
        except OSError as error:
            stop(f"Port {port} of 127.0.0.1 cannot be used: {error.strerror}. Choose another one with --port", FAILED)


def take_any_encoding() -> None:
    """Lets a terminal show what it can: one that is not UTF-8 gets a ? for a tick, not a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def bar() -> Progress:
    """How far something is, where people look on."""
    text = TextColumn("{task.description}")
    columns = (SpinnerColumn(), text, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
