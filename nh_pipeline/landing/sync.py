"""Following an authoritative source: everything that is new in it lands, whoever asks (a schedule, a Lambda, a test).

What belongs here: the one loop from changes to landed files. Nothing here imports Dagster. Killed between any two
steps, it is called again and ends in the same lake.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.landing.zone import LandingError
from nh_pipeline.sources.protocol import SourceUnavailable

if TYPE_CHECKING:
    from nh_pipeline.landing.source_state import SourceState
    from nh_pipeline.landing.zone import Landed, RawZone
    from nh_pipeline.sources.protocol import Source, SourceFile


def land_changes(source: Source, zone: RawZone, state: SourceState, *, full: bool = False) -> list[Landed]:
    """Lands what is new in a source, and moves its cursor.

    Args:
        source: An authoritative source.
        zone: Where to.
        state: What the source held when it was last looked at.
        full: Lists everything, whatever the cursor says: the first load, or a reconciliation.

    Returns:
        What became of each file that had not landed, and of each delivery in an archive of several.

    Raises:
        SourceUnavailable: The source cannot be listed. Nothing was changed.
        LandingError: Some files could not be landed; the others have. The cursor stays where it was.
    """
    changes = source.changes(None if full else state.cursor)
    state.see(changes)
    state.save()
    outcomes = [_land(zone, source, file) for file in state.pending()]
    state.save(changes.cursor)
    failed = [outcome for outcome in outcomes if isinstance(outcome, str)]
    if failed:
        raise LandingError(f"{len(failed)} of {len(outcomes)} files wait for the next look: {' '.join(failed)}")
    return [each for outcome in outcomes if not isinstance(outcome, str) for each in outcome.each]


def _land(zone: RawZone, source: Source, file: SourceFile) -> Landed | str:
    """What became of a file, or why nothing did."""
    try:
        return zone.land(source, file)
    except (SourceUnavailable, LandingError) as error:
        return str(error)
