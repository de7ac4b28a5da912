"""Archives of several deliveries: each lands as its own, and what became of every file in them is kept.

What belongs here: what becomes of the files. Not here: finding and unpacking them
(:mod:`nh_pipeline.landing.unpacking`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, cast

from nh_pipeline.landing.judging import judged
from nh_pipeline.landing.manifest import ArchivePart, InArchive
from nh_pipeline.landing.receiving import receiving
from nh_pipeline.landing.refused import Beside, Refused
from nh_pipeline.landing.unpacking import parts
from nh_pipeline.sources.protocol import SourceFile

if TYPE_CHECKING:
    from nh_pipeline.landing.judging import Word
    from nh_pipeline.landing.keeping import Kept, Landed
    from nh_pipeline.landing.manifest import Manifest, Quarantined, Received
    from nh_pipeline.landing.receiving import Content
    from nh_pipeline.landing.unpacking import Part

_MOST_LISTED = 300
"""Characters of the names in a message."""


def land_parts(kept: Kept, content: Content, word: Word) -> Landed:
    """Keeps the deliveries in an archive of several, one by one; then what became of all.

    Killed between two of them, it is called again and finds those that are kept.

    Args:
        kept: Where to.
        content: The archive.
        word: What a person says about it.

    Raises:
        Refused: If no delivery is in it, or too much.
    """
    archive = content.received
    became: list[tuple[ArchivePart, Landed | Refused | None]] = []
    with kept.storage.open(content.path) as stream:
        for part in parts(cast("BinaryIO", stream), archive.name, limited=word.limited):
            of_part = None if part.litter else _keep(kept, archive, part, word)
            became.append((_told(part, of_part), of_part))
    found = [told for told, _ in became]
    landed = [of_part for _, of_part in became if of_part is not None and not isinstance(of_part, Refused)]
    if not landed:
        raise _no_delivery(archive.name, found)
    return kept.record(content, found, landed)


def _keep(kept: Kept, archive: Received, part: Part, word: Word) -> Landed | Refused:
    """A part that has landed or is in quarantine; why it is left out, if not even its name says that it is data."""
    name = f"{archive.name}/{part.path}"
    file = SourceFile(file_id=archive.file_id, name=name, size=None, modified_at=archive.modified_at)
    within = InArchive(file_id=archive.file_id, name=archive.name, size=archive.size, md5=archive.md5, path=part.path)

    def unpack(out: BinaryIO) -> None:
        part.unpack(out, name, limited=word.limited)

    try:
        with receiving(kept.storage, archive.source, file, unpack, within) as content:
            landed = kept.landed(content.received.key)
            if landed:
                return landed
            try:
                about = judged(kept.storage, content, word)
            except Beside as refused:
                return refused
            except Refused as refused:
                return kept.refuse(content, refused) if part.is_data else refused
            return kept.admit(content, about)
    except Refused as damage:
        if not part.is_data:
            return damage
        with receiving(kept.storage, archive.source, file, part.as_packed, within) as content:
            return kept.refuse(content, damage)


def _told(part: Part, became: Landed | Refused | None) -> ArchivePart:
    path, size = part.path, part.info.file_size
    if became is None:
        return ArchivePart(path=path, size=size, outcome="litter")
    if isinstance(became, Refused):
        return ArchivePart(path=path, size=size, outcome="no delivery", told=became.reason)
    return ArchivePart.of(path, size, cast("Manifest | Quarantined", became.document))


def _no_delivery(name: str, found: list[ArchivePart]) -> Refused:
    listed = ", ".join(repr(part.path) for part in found if part.outcome != "litter")
    return Refused(
        f"{name}: no delivery in the archive",
        expected="CSVs as CMS publishes them",
        found=f"{listed[:_MOST_LISTED]}{', ...' if len(listed) > _MOST_LISTED else ''}",
        what_to_do="Deliver the CSVs that CMS publishes.",
    )
