"""Sources of deliveries, all behind one protocol."""

from __future__ import annotations

from nh_pipeline.sources.folder import FolderSource
from nh_pipeline.sources.opening import open_source
from nh_pipeline.sources.protocol import Changes, Source, SourceFile, SourceUnavailable, Unusable

__all__ = ["Changes", "FolderSource", "Source", "SourceFile", "SourceUnavailable", "Unusable", "open_source"]
