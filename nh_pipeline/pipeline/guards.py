"""Which of the landed deliveries count: one per coverage, a pure function of their notes and of a person's decisions.

A later delivery supersedes the earlier one of its coverage. Guards decide *before* it does: one that is held, refused
or withdrawn changes no other delivery's state. It is *held*, until a person confirms it,

* if more than 1 % of its lines are refused, the first delivery included: it was damaged on its way;
* if it lacks more than 5 % of the facilities, days or keys of the delivery that it would supersede, however many it
  has itself: an extract must not erase a quarter;
* if it is a release that lacks more than 5 % of the providers or keys of the last accepted release; of a file that does
  not name every facility (penalties of rolling years), if it has less than half of its lines.

It is *refused* if a key occurs twice in a release, or if none of its lines can be read.

A file of changes says nothing of what it does not name. So it takes no other one's place, and lacks nothing: of the
guards, only that against damage applies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nh_pipeline.model.dataset import CoverageKind
    from nh_pipeline.pipeline.notes import DeliveryNote

LARGEST_LOSS = 0.05
"""Share of facilities, days or keys that a delivery may lack of the one before without being held."""

FEW_KEYS = 10
"""So many keys a correction may always lack, where all facilities and days are there."""

LARGEST_SHRINKAGE = 0.5
"""Share of the lines of the release before that one may lack where not every facility is named in each."""

MOST_REFUSED = 0.01
"""Share of its lines that may be refused without a delivery being held; one line may always be."""


State = Literal["effective", "superseded", "held", "refused", "unparsed", "withdrawn"]


class DeliveryStatus(BaseModel, frozen=True):
    """Whether a delivery counts, and why not.

    Attributes:
        state: ``effective``; ``superseded`` by a later one; ``held`` until confirmed; ``refused``; ``unparsed``
            (not in bronze yet); ``withdrawn`` by its source or by a person.
        reason: for people, with what to do.
        lines: of the file.
        lines_refused: those that no table shows, or would show.
    """

    delivery_id: str
    coverage: str
    name: str
    state: State
    reason: str = ""
    lines: int = 0
    lines_refused: int = 0


@dataclass(frozen=True)
class Candidate:
    """A landed delivery, as far as it matters for whether it counts.

    Attributes:
        coverage: key of what it covers; they sort as time does.
        told: when it was modified, for people.
        note: what it holds; None while it is not in bronze.
        withdrawn: why it does not count, if it was withdrawn by its source or a person.
    """

    delivery_id: str
    coverage: str
    name: str
    told: str = ""
    note: DeliveryNote | None = None
    withdrawn: str = ""

    def status(self, state: State, reason: str = "") -> DeliveryStatus:
        """Its status: in this state, for this reason."""
        return DeliveryStatus(
            delivery_id=self.delivery_id,
            coverage=self.coverage,
            name=self.name,
            state=state,
            reason=reason,
            lines=self.note.records if self.note else 0,
            lines_refused=self.note.lines_refused if self.note else 0,
        )


@dataclass(frozen=True)
class _Accepted:
    """A delivery that others are compared with."""

    candidate: Candidate
    note: DeliveryNote
    providers: frozenset[str]


def statuses(
    kind: CoverageKind,
    candidates: Iterable[Candidate],
    confirmed: frozenset[str],
    *,
    every_facility: bool = True,
    changes: bool = False,
) -> list[DeliveryStatus]:
    """The status of every delivery of a dataset, in order of business time.

    Candidates of one coverage come, and leave, in order of precedence. Quarters stand by themselves; a release is
    compared with the one before. A delivery of ``changes`` stands by itself.
    """
    by_coverage: dict[tuple[str, int], list[Candidate]] = {}
    for nth, candidate in enumerate(candidates):
        by_coverage.setdefault((candidate.coverage, nth * changes), []).append(candidate)
    listed: list[DeliveryStatus] = []
    previous: _Accepted | None = None
    for _, deliveries in sorted(by_coverage.items()):
        found, winner = _statuses(
            deliveries, previous, confirmed, unique=kind != "quarter", every_facility=every_facility
        )
        listed += found
        if kind == "release" and not changes:
            previous = winner or previous
    return listed


def _statuses(
    deliveries: Sequence[Candidate],
    previous: _Accepted | None,
    confirmed: frozenset[str],
    *,
    unique: bool,
    every_facility: bool,
) -> tuple[list[DeliveryStatus], _Accepted | None]:
    """Deliveries of one coverage: the last one that no guard stops wins."""
    winner: _Accepted | None = None
    listed: dict[str, DeliveryStatus] = {}
    for candidate in deliveries:
        status = _unusable(candidate, unique=unique)
        if status is None and candidate.note is not None:
            challenger = _Accepted(candidate, candidate.note, candidate.note.providers)
            reason = ""
            if candidate.delivery_id not in confirmed:
                reason = _held(challenger, winner, previous, confirmed, every_facility=every_facility)
            if not reason:
                if winner is not None:
                    by = f"by {candidate.name}{f' of {candidate.told}' if candidate.told else ''}"
                    listed[winner.candidate.delivery_id] = winner.candidate.status("superseded", by)
                winner = challenger
            status = candidate.status("held" if reason else "effective", reason)
        if status is not None:
            listed[candidate.delivery_id] = status
    return list(listed.values()), winner


def _unusable(candidate: Candidate, *, unique: bool) -> DeliveryStatus | None:
    """The status of a delivery that cannot count, whatever the others are."""
    note = candidate.note
    if candidate.withdrawn:
        return candidate.status("withdrawn", candidate.withdrawn)
    if note is None:
        return candidate.status("unparsed", "landed, not in bronze yet; nh materialize parses it")
    if not note.keys:
        return candidate.status("refused", f"every line of it was refused{_told(note)}. Deliver the corrected file")
    if unique and note.doubled:
        reason = (
            f"{note.doubled:,} keys occur more than once in {candidate.name}: expected one line each. "
            "Deliver the file anew, each key once"
        )
        return candidate.status("refused", reason)
    return None


def _held(
    challenger: _Accepted,
    winner: _Accepted | None,
    previous: _Accepted | None,
    confirmed: frozenset[str],
    *,
    every_facility: bool,
) -> str:
    """Why a delivery waits for a person's word; nothing if it need not."""
    found = _damaged(challenger.note)
    if not found and winner is not None:
        found = _lacking(challenger, winner, f"the delivery that it would supersede ({winner.candidate.name})")
    # A person has said of the delivery in its place that it is as large as it should be.
    settled = winner is not None and winner.candidate.delivery_id in confirmed
    if not found and previous is not None and not settled:
        look = _lacking if every_facility else _shrunk
        found = look(challenger, previous, f"the release of {previous.candidate.coverage}")
    return f"{found}: nh confirm {challenger.candidate.delivery_id[:12]}" if found else ""


def _damaged(note: DeliveryNote) -> str:
    refused = note.lines_refused
    if refused <= max(1, MOST_REFUSED * note.records):
        return ""
    return (
        f"{refused:,} of its {note.records:,} lines were refused ({refused / note.records:.1%}, more than "
        f"{MOST_REFUSED:.0%}){_told(note)}. It was damaged on its way: deliver the file as CMS publishes it. If the "
        "other lines are to be taken all the same"
    )


def _told(note: DeliveryNote) -> str:
    """Which columns the refused lines are about, and the first one of them."""
    columns = [f"{column} {count:,}" for column, count in sorted(note.refused.items(), key=lambda item: -item[1])]
    if note.ragged:
        columns.append(f"number of cells {note.ragged:,}")
    first = f"; line {note.samples[0].line:,}: {note.samples[0].reason}" if note.samples else ""
    return f" ({', '.join(columns[:5])}{', …' * (len(columns) > 5)}{first})"  # noqa: PLR2004


def _shrunk(challenger: _Accepted, before: _Accepted, name: str) -> str:
    """Of files in which facilities come and go: only that much less is odd."""
    had, has = before.note.keys, challenger.note.keys
    if had - has <= max(LARGEST_SHRINKAGE * had, FEW_KEYS):
        return ""
    return f"has {has:,} readable lines, {1 - has / had:.1%} fewer than {name}. If it is complete"


def _lacking(challenger: _Accepted, before: _Accepted, name: str) -> str:
    had, has = len(before.providers), len(challenger.providers)
    gone = len(before.providers - challenger.providers)
    days_before, days = set(before.note.days), set(challenger.note.days)
    if gone > LARGEST_LOSS * had:
        size = f"{1 - has / had:.1%} fewer" if has < had else f"{has / had - 1:.1%} more" if has > had else "as many"
        lacks = f"lacks {gone:,} of the {had:,} facilities of {name} ({gone / had:.1%}, more than {LARGEST_LOSS:.0%})"
        return f"{lacks}; it has {has:,} facilities, {size}. If it is meant to replace it, or complete"
    if len(days_before - days) > LARGEST_LOSS * len(days_before):
        missing = sorted(days_before - days)
        return (
            f"lacks {len(missing):,} of the {len(days_before):,} days of {name}, {missing[0]} the first. If it is "
            "meant to replace it"
        )
    fewer = before.note.keys - challenger.note.keys
    if fewer > max(LARGEST_LOSS * before.note.keys, FEW_KEYS):
        share = fewer / before.note.keys
        return (
            f"has {challenger.note.keys:,} readable lines, {share:.1%} fewer than {name} (more than "
            f"{LARGEST_LOSS:.0%}). If it is complete"
        )
    return ""
