"""A person's, or a supervisor's, word that runs are to stop: after the commit that is under way, not in the middle.

Who builds asks :func:`requested` between two builds. Dagster turns signals into errors wherever its code happens to be,
but only in the main thread: so runs execute beside it (:func:`aside`), and the main thread takes the signals.
"""

from __future__ import annotations

import contextvars
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import current_thread, main_thread
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_received: list[int] = []


@contextmanager
def on_signals(tell: Callable[[], None]) -> Iterator[None]:
    """While it lasts, the first signal is a request, and told; the second one ends the process at once."""
    if current_thread() is not main_thread():  # only that one may set handlers
        yield
        return

    def _request(number: int, _: object) -> None:
        if _received:  # a process that is killed leaves nothing half-published, either
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        _received.append(number)
        tell()

    _received.clear()
    before = {number: signal.signal(number, _request) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def requested() -> bool:
    """Whether what is being done is to be the last."""
    return bool(_received)


def exit_code() -> int:
    """Of a command that was stopped, as shells have it."""
    return 128 + _received[0]


def aside(work: Callable[[], T]) -> T:
    """Does something in another thread, and waits for it."""
    with ThreadPoolExecutor(1, "runs") as pool:
        return pool.submit(contextvars.copy_context().run, work).result()
