"""``nh metrics``: figures for Prometheus."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003 (typer reads the annotations)
from typing import Annotated

import typer

from nh_pipeline.cli.terminal import USAGE, console, lake_of, read_settings, require_port, stop


def metrics(
    out: Annotated[Path | None, typer.Option(help="File to write, at once (for node_exporter's textfiles).")] = None,
    serve: Annotated[
        int | None, typer.Option(metavar="PORT", min=1, max=65535, help="Serve them on this port of 127.0.0.1.")
    ] = None,
) -> None:
    """Print figures for Prometheus: of tables, deliveries, checks, runs and sensors. It reads metadata alone."""
    try:
        from prometheus_client import CollectorRegistry, generate_latest, start_http_server, write_to_textfile
    except ImportError:
        stop("it needs the extra: pip install 'nh-pipeline[metrics]'", USAGE)
    from nh_pipeline.orchestration.definitions import build_defs
    from nh_pipeline.orchestration.instance import known_instance
    from nh_pipeline.orchestration.metrics import Metrics

    settings = read_settings()
    if serve:
        require_port(serve)
    lake, repository = lake_of(settings), build_defs(settings).get_repository_def()
    with known_instance(settings) as instance:
        registry = CollectorRegistry(auto_describe=False)
        keys = sorted(repository.asset_graph.asset_check_keys)
        registry.register(Metrics(lake, instance, keys, repository.job_names))
        if serve:
            server, thread = start_http_server(serve, addr="127.0.0.1", registry=registry)
            console.print(f"http://127.0.0.1:{serve}/metrics; Ctrl-C ends it")
            try:
                thread.join()
            finally:
                server.shutdown()
                server.server_close()
        elif out:
            write_to_textfile(str(out), registry)
        else:
            sys.stdout.write(generate_latest(registry).decode())
