"""``python -m nh_pipeline`` is ``nh``."""

from __future__ import annotations

from nh_pipeline.cli.main import main

main()
