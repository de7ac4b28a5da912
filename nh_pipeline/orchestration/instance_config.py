"""``dagster.yaml`` of the local instance: made on first use, and mended where an older version or a move left it wrong.

Dagster derives all its folders from the one that the file is in, but for the one folder that the file has to name.
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import uuid
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_EVENTS = """\
event_log_storage:  # as Dagster's own, but the days of a range are written at once
  module: nh_pipeline.orchestration.event_log
  class: BatchingSqliteEventLogStorage
  config:
    base_dir: "{home}/history/runs"
"""
_ONE_AT_A_TIME = """\
# Each run has an engine that may take 1 GiB, and all of them commit to one catalog.
concurrency:
  runs:
    max_concurrent_runs: 1
"""
_LONGEST = """\
# No run takes longer: what is under way after this time is ended, and tried again.
run_monitoring:
  enabled: true
  max_runtime_seconds: 21600
"""
_CONFIG = f"""\
# Local Dagster instance of nh: runs, events and sensors in SQLite below this folder.
{_EVENTS}telemetry:
  enabled: false
nux:
  enabled: false
{_LONGEST}{_ONE_AT_A_TIME}"""
_KILLED = _CONFIG.replace(
    _LONGEST.partition("\n")[0],
    "# A run of the daemon that was killed together with its code server is failed after this time, and tried again.",
)
_OLDER = (_KILLED, _KILLED.replace(_ONE_AT_A_TIME, ""), _KILLED.replace(_ONE_AT_A_TIME, "").replace(_EVENTS, ""))
"""What earlier versions wrote."""

_EVENTS_FOLDER = re.compile(
    r"""(base_dir:\s*)(?:"/(?:[^"\\\n]|\\.)*/history/runs/?"|'/[^'\n]*/history/runs/?'|/[^"'\n,}#]*/history/runs/?)(?![^\s,}])"""
)
"""As written here, or rewritten by somebody's editor."""
_EVENTS_MODULE = re.compile(r"""(module:\s*["']?)nh_pipeline\.event_log\b""")
"""Where the storage of events was in earlier versions: Dagster opens no instance that names a module that is gone."""


@contextmanager
def one_at_a_time(home: Path) -> Iterator[None]:
    """While it lasts no other process makes the instance: Dagster's databases are not made for two at once."""
    with ExitStack() as held:
        try:
            lock = held.enter_context(closing(sqlite3.connect(home / "opening.lock", timeout=60, isolation_level=None)))
            lock.execute("begin exclusive")
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise
            # Nothing can be written there: then nothing is made, either, and who only looks may go on.
        yield


def settle(home: Path) -> None:
    """Makes the file, or mends it: what an older version wrote is renewed.

    The storage of events is the one of this version, its folder is below ``home``, which is absolute. A file that
    somebody has edited keeps everything else. Two processes may do this at once.
    """
    config = (home / "dagster.yaml").resolve()  # it may be a link
    escaped = json.dumps(str(home), ensure_ascii=False)[1:-1]  # YAML reads no surrogate pairs
    found = config.read_text(encoding="utf-8") if config.exists() else None
    if found is None:
        wanted = _CONFIG.format(home=escaped)
    else:
        wanted = _EVENTS_MODULE.sub(r"\1nh_pipeline.orchestration.event_log", found)
        wanted = _EVENTS_FOLDER.sub(lambda line: f'{line[1]}"{escaped}/history/runs"', wanted)
        if wanted in {older.format(home=escaped) for older in _OLDER}:
            wanted = _CONFIG.format(home=escaped)
    if wanted == found:
        return
    partial = config.with_name(f"{config.name}.{uuid.uuid4().hex}.partial")
    try:
        partial.write_text(wanted, encoding="utf-8")
        if found is not None:
            shutil.copymode(config, partial)  # it may hold somebody's password
        partial.replace(config)
    finally:
        partial.unlink(missing_ok=True)
