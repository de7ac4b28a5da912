"""A source in memory, and what sources say of a content."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta, timezone

from nh_pipeline.sources import Changes, SourceFile

DAY = datetime(2024, 11, 1, 12, tzinfo=timezone.utc)


def md5_of(content):
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


class Memory:
    """A source that holds one content for each file."""

    name = "memory"

    def __init__(self):
        self.contents = {}
        self.downloads = 0

    def file(self, file_id, content, *, day=0, name=None, size=None, md5=None):
        self.contents[file_id] = content
        return SourceFile(file_id=file_id, name=name or f"{file_id}.csv", size=size, md5=md5,
                          modified_at=DAY + timedelta(days=day))  # fmt: skip

    def changes(self, cursor):
        return Changes(files=[], removed=[], cursor=cursor or "")

    def peek(self, file, size=65536):
        return self.contents[file.file_id][:size]

    def download(self, file, out):
        self.downloads += 1
        content = self.contents[file.file_id]
        for start in range(0, len(content), 1000):
            out.write(content[start : start + 1000])
