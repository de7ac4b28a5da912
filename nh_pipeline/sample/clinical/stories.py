"""What happens to residents: scripted stories, each written next to what the tables must tell of it.

Days count from the day of the story's first hospital admission (or of the whole story, if there is none). Dates are
those of the wall clock. A readmission is the next acute episode, 0 to 30 days after a discharge.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from nh_pipeline.sample.clinical.sums import NO_STAYS, NO_VISITS, EdTruth, Rate

Kind: TypeAlias = Literal["acute_inpatient", "snf", "emergency", "ambulatory", "virtual"]
Place: TypeAlias = Literal["home", "other home", "hospital", "other hospital"]
Later: TypeAlias = Literal["closed", "erroneous twin", "stale version", "deleted"]

CLOSING_DAY = 181
"""Day of the plan on which the last acute stay ends: discharges up to 30 days before it are index stays."""


@dataclass(frozen=True)
class Event:
    """An encounter of a story.

    Attributes:
        kind: What the tables must call it.
        first: Day of its start.
        last: Day of its end; None if it is open.
        at: Where.
        begins: Wall clock of the start.
        ends: Wall clock of the end.
        about: Diagnosis, a key of :data:`nh_pipeline.sample.clinical.stays.DIAGNOSES`.
        disposition: NUBC discharge status, as written.
        planned: Whether it is an admission for a planned procedure.
        status: FHIR's.
        written: How much of the dates is written.
        later: What the second export brings: its end, a twin that is entered in error, an older version, its deletion.
        rehospitalized: Of a SNF stay: whether an acute stay begins within 30 days after its start.
        ed_visit: Of a SNF stay: whether an emergency visit without admission begins within 30 days after its start.
    """

    kind: Kind
    first: int
    last: int | None
    at: Place
    begins: str
    ends: str
    about: str = "lung"
    disposition: str = "01"
    planned: bool = False
    status: str = "finished"
    written: Literal["time", "month", "year"] = "time"
    later: Later | None = None
    rehospitalized: bool = False
    ed_visit: bool = False

    @property
    def length_of_stay(self) -> int:
        """Days between the dates, of inpatients one at least; 0 of what is open or has no whole dates."""
        if self.last is None or self.written != "time":
            return 0
        return max(self.last - self.first, int(self.kind in {"acute_inpatient", "snf"}))

    def is_closed(self, exports: int) -> bool:
        """Whether it has an end after so many exports."""
        return self.last is not None and (exports > 1 or self.later != "closed")

    def is_there(self, exports: int) -> bool:
        """Whether it is still there after so many exports."""
        return exports == 1 or self.later != "deleted"

    @property
    def is_billed(self) -> bool:
        """Whether there is a claim, and whether there are observations: of whatever is done and stays."""
        whole = self.status == "finished" and self.written == "time" and self.last is not None
        return whole and self.later not in {"closed", "deleted"}


def acute(
    first: int,
    last: int | None,
    at: Place = "hospital",
    *,
    times: tuple[str, str] = ("14:00", "11:00"),
    about: str = "lung",
    disposition: str = "03",
    planned: bool = False,
    later: Later | None = None,
) -> Event:
    """A hospital stay."""
    return Event(
        *("acute_inpatient", first, last, at, *times),
        about=about,
        disposition=disposition,
        planned=planned,
        later=later,
    )


def snf(
    first: int, last: int | None, at: Place = "home", *, rehospitalized: bool = False, ed_visit: bool = False
) -> Event:
    """A stay in a nursing home."""
    moved = "02" if rehospitalized else "01"
    return Event(
        *("snf", first, last, at, "15:00", "10:00"),
        about="bone",
        disposition=moved,
        status="in-progress" if last is None else "finished",
        rehospitalized=rehospitalized,
        ed_visit=ed_visit,
    )


def ed(day: int, begins: str = "10:00", ends: str = "14:00") -> Event:
    """An emergency visit."""
    return Event("emergency", day, day, "hospital", begins, ends, about="kidney", disposition="1")


def visit(day: int, kind: Kind = "ambulatory") -> Event:
    """A visit to a doctor."""
    return Event(kind, day, day, "hospital", "09:00", "09:30", about="heart")


@dataclass(frozen=True)
class Story:
    """What one resident lives.

    Attributes:
        title: What it shows.
        events: In order of their start.
        crude: Readmissions, whatever the discharge status.
        unplanned: Readmissions, planned ones not counted, without stays that end in death.
        ed: Emergency visits.
        after_second: Both after the second export, if they are others.
        day: On which day of the plan it begins; None for one that is drawn.
        dies: Whether the resident dies on the last day of the last acute stay.
        erased: Whether the second export deletes the patient, and all facts with it.
    """

    title: str
    events: tuple[Event, ...]
    crude: Rate = NO_STAYS
    unplanned: Rate = NO_STAYS
    ed: EdTruth = NO_VISITS
    after_second: tuple[Rate, Rate] | None = None
    day: int | None = None
    dies: bool = False
    erased: bool = False

    def readmissions(self, exports: int) -> tuple[Rate, Rate]:
        """Crude and unplanned, after so many exports."""
        return self.after_second if exports > 1 and self.after_second else (self.crude, self.unplanned)


STORIES = (
    Story(
        "the last acute stay of all: too late to be an index",
        (snf(-60, 0), visit(-30), acute(0, 5, disposition="01")),
        day=CLOSING_DAY - 5,
    ),
    Story(
        "back in hospital on day 29 after the admission to the home, 30 after the discharge",
        (acute(0, 4), snf(5, 34, rehospitalized=True), acute(34, 37, later="erroneous twin"), snf(37, 70)),
        Rate(2, 1),
        Rate(2, 1),
    ),
    Story("back in hospital on day 31", (acute(0, 4), snf(4, 35), acute(35, 38, about="heart")), Rate(2), Rate(2)),
    Story(
        "readmitted the same day to the same hospital for something else",
        (acute(0, 4, disposition="01"), acute(4, 7, about="bone"), snf(7, 47), visit(60)),
        Rate(2, 1),
        Rate(2, 1),
    ),
    Story(
        "transferred to another hospital the same day: one stay",
        (acute(0, 2, disposition="02"), acute(2, 6, "other hospital", later="stale version"), snf(6, 40), visit(50)),
        Rate(1),
        Rate(1),
    ),
    Story(
        "transferred overnight; emergency visit and return within 72 hours",
        (acute(0, 4, disposition="02"), acute(5, 8, "other hospital"), snf(8, 50, ed_visit=True), ed(20), ed(22)),
        Rate(1),
        Rate(1),
        EdTruth(2, 2, 1, 1),
    ),
    Story(
        "readmitted the next day to the same hospital",
        (acute(0, 4, disposition="01", about="heart"), acute(5, 8, about="heart"), snf(8, 40)),
        Rate(2, 1),
        Rate(2, 1),
    ),
    Story(
        "planned readmission of one day, which blocks the unplanned one after it",
        (
            acute(0, 4, disposition="01", about="bone"),
            acute(14, 14, times=("07:00", "19:00"), disposition="01", planned=True, about="bone"),
            acute(24, 26),
            snf(26, 60),
        ),
        Rate(3, 2),
        Rate(3, 1),
    ),
    Story(
        "readmission that is open until the second export brings its end",
        (acute(0, 4), snf(4, 10, rehospitalized=True), acute(10, 16, later="closed")),
        Rate(1, 1),
        Rate(1, 1),
        after_second=(Rate(2, 1), Rate(2, 1)),
    ),
    Story(
        "death in hospital",
        (snf(-20, 0, rehospitalized=True), acute(0, 4, disposition="20", about="heart")),
        Rate(1),
        Rate(0),
        dies=True,
    ),
    Story(
        "emergency visit that becomes an admission, then two visits four days apart",
        (
            snf(-10, 12, rehospitalized=True),
            ed(12, "10:00", "13:00"),
            acute(12, 15, about="kidney"),
            snf(15, 60, ed_visit=True),
            ed(40),
            ed(44),
        ),
        Rate(1),
        Rate(1),
        EdTruth(3, 2, 0, 1),
    ),
    Story(
        "overlapping stays: one, which ends where the longer one ends",
        (
            acute(0, 9),
            acute(2, 4, "other hospital", disposition="02"),
            snf(9, 19, rehospitalized=True),
            acute(19, 21, about="bone"),
            snf(21, 50),
        ),
        Rate(2, 1),
        Rate(2, 1),
    ),
    Story(
        "long-term resident, partial dates, a visit not yet held; emergency returns after 72:00 and 72:01 hours",
        (
            replace(visit(-700), written="year"),
            replace(visit(-650), written="month"),
            snf(-200, None),
            ed(10, "10:00", "12:00"),
            ed(13, "12:00", "14:00"),
            ed(16, "14:01", "15:00"),
            visit(30, "virtual"),
            replace(visit(250), status="planned"),
            replace(visit(40), status="cancelled"),
        ),
        ed=EdTruth(3, 3, 1, 2),
        day=14,  # no change to or from summer time between the visits, whatever the quarter
    ),
    Story(
        "moved to another home, and from there to hospital",
        (acute(0, 4), snf(4, 18), snf(18, 40, "other home", rehospitalized=True), acute(40, 43, about="heart")),
        Rate(2),
        Rate(2),
    ),
    Story(
        "discharged two minutes before midnight, readmitted two after: 31 days as written, 30 in UTC",
        (
            acute(0, 1, times=("23:58", "23:58")),
            snf(2, 32, rehospitalized=True),
            acute(32, 33, times=("00:02", "11:00")),
            visit(50),
        ),
        Rate(2),
        Rate(2),
    ),
    Story(
        "registered by mistake: the second export deletes the patient",
        (acute(0, 4, disposition="01"), acute(20, 22, about="heart"), snf(22, 40)),
        Rate(2, 1),
        Rate(2, 1),
        after_second=(NO_STAYS, NO_STAYS),
        erased=True,
    ),
    Story(
        "gone home and back the same day for the same: one stay; a visit that the second export deletes",
        (acute(0, 4, disposition="01"), acute(4, 7), snf(7, 30), replace(visit(45), later="deleted")),
        Rate(1),
        Rate(1),
    ),
)
"""Residents live them in turn."""
