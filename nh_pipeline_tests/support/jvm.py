"""Spark on the JVM in processes of its own, as tests start it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

QUICK = {"JDK_JAVA_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ReservedCodeCacheSize=400m"}
"""For JVMs that live for seconds: one compiler, with room for all that Spark makes: where it ends, nothing is compiled
any more, and the rest of the run takes three times as long."""

KEPT = "--conf spark.sql.codegen.cache.maxEntries=5000"
"""What Spark compiles, of all builds: of its hundred, those of a day or a release would be gone when the next comes."""


def built(lake: Path, drop: Path) -> str:
    """Builds a whole lake from a folder of deliveries (:mod:`.chain`), and gives what the engine makes of odd texts.

    Raises:
        AssertionError: the process failed: how what it told begins and ends.
    """
    # A Connect session leaves its mark in this process's environment. Where the machine stands must not matter.
    bare = {name: value for name, value in os.environ.items() if not name.startswith("SPARK_")}
    command = [sys.executable, "-m", "nh_pipeline_tests.support.chain", "jvm", str(lake), str(drop)]
    env = {**bare, **QUICK, "PYSPARK_SUBMIT_ARGS": f"{KEPT} pyspark-shell", "TZ": "Asia/Tokyo"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=2400, env=env)
    assert done.returncode == 0, f"{done.stderr[:2000]} ... {done.stderr[-2000:]}"
    return done.stdout
