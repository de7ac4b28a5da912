"""The persistent Dagster instance below the lake's home: its runs, events and ticks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import dagster as dg

from nh_pipeline.orchestration.event_log import BATCH_SIZE
from nh_pipeline.orchestration.instance_config import one_at_a_time, settle

if TYPE_CHECKING:
    from nh_pipeline.settings import Settings


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """The instance, made on first use."""
    home = settings.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", str(BATCH_SIZE))  # read by Dagster, here and in run workers
    with one_at_a_time(home):
        settle(home)
        return dg.DagsterInstance.from_config(str(home))


def known_instance(settings: Settings) -> dg.DagsterInstance:
    """The same for those who only look: an empty one where there is none yet, and nothing is made."""
    if (settings.dagster_home / "dagster.yaml").exists():
        return open_instance(settings)
    return dg.DagsterInstance.ephemeral()
