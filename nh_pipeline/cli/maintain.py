"""``nh maintain``: what the daemon does every night, for those who run ``nh`` by a clock of their own."""

from __future__ import annotations

from nh_pipeline.cli.terminal import console, lake_of, read_settings


def maintain() -> None:
    """Let old snapshots expire, delete files that nothing names, and old runs of Dagster."""
    from nh_pipeline.orchestration.instance import known_instance
    from nh_pipeline.orchestration.maintenance import maintain as maintained

    settings = read_settings()
    with known_instance(settings) as instance:
        done = maintained(
            lake_of(settings), instance, snapshot_days=settings.keep_snapshots, run_days=settings.keep_runs
        )
    for what, count in done.told.items():
        console.print(f"{what}: {count:,}", markup=False)
