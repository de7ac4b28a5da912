"""Sources of deliveries, all behind one protocol."""

from __future__ import annotations

from nh_pipeline.sources.folder import FolderSource
from nh_pipeline.sources.protocol import Changes, Source, SourceFile, SourceUnavailable

__all__ = ["Changes", "FolderSource", "Source", "SourceFile", "SourceUnavailable"]
