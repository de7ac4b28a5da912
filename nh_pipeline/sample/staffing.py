"""Daily hours and residents of a quarter, drawn in blocks of facilities with whole-array arithmetic.

Hours are whole cents of an hour (integers), so that totals are exactly employee plus contract, and sums are exact.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from nh_pipeline.sample.headers import CATEGORIES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from nh_pipeline.sample.facilities import World
    from nh_pipeline.sample.periods import Quarter

BLOCK = 512
"""Facilities drawn at once: 24 columns of 46,592 rows, about 20 MB."""

OUTLIER_CENTS = (14_475, 1_380_150)
"""Employee and contract LPN hours of the absurd cell, as once published: 13,946.25 hours in total."""

_SATURDAY = 5
_LPN = CATEGORIES.index("LPN")
_CNA = CATEGORIES.index("CNA")
# Hours per resident and day of the nation, by category: RN 0.60, LPN 0.87, aide 2.24, total 3.71.
_RATE = np.array([0.072, 0.118, 0.413, 0.092, 0.782, 2.083, 0.045, 0.110])
_IS_ADMIN = np.array([True, True, False, True, False, False, False, False])
_MAY_BE_CONTRACT = np.array([False, False, True, False, True, True, False, False])
_WEEKEND_DIRECT, _WEEKEND_ADMIN = 0.86, 0.12


@dataclass(frozen=True)
class Correction:
    """A corrected re-delivery of a quarter.

    Attributes:
        drop_facilities: How many facilities the corrected file lacks.
        changed_facilities: How many have two CNA hours more on each of the first seven days.
        revision: 1 for the first correction, 2 for the next: later files, other names.
        seed: Of the choice of facilities.
    """

    drop_facilities: int = 1
    changed_facilities: int = 1
    revision: int = 1
    seed: int = 7

    def choose(self, facilities: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Indices of the dropped and of the changed facilities.

        Raises:
            ValueError: If more facilities would be dropped and changed than there are.
        """
        if self.drop_facilities + self.changed_facilities > facilities:
            raise ValueError(f"cannot drop and change more than the {facilities} facilities that there are")
        order = np.random.default_rng([self.seed, 5, self.revision]).permutation(facilities)
        changed = order[self.drop_facilities : self.drop_facilities + self.changed_facilities]
        return order[: self.drop_facilities], changed


@dataclass(frozen=True)
class Block:
    """Some facilities' quarter.

    Attributes:
        facilities: Indices into the world, ascending (f).
        weekend: Which days are Saturdays and Sundays (d).
        census: Residents (f, d).
        employee: Cents of hours by category (8, f, d).
        contract: The same of contract staff.
    """

    facilities: NDArray[np.int64]
    weekend: NDArray[np.bool_]
    census: NDArray[np.int64]
    employee: NDArray[np.int64]
    contract: NDArray[np.int64]


def blocks(world: World, quarter: Quarter, days: int | None = None, fix: Correction | None = None) -> Iterator[Block]:
    """The quarter's blocks in facility order; empty blocks are left out.

    A facility's numbers depend on the world, the quarter and the number of days, never on what else is generated.
    """
    dropped, changed = fix.choose(len(world)) if fix else (np.array([], dtype=np.int64),) * 2
    for start in range(0, len(world), BLOCK):
        block = _draw(world, quarter, days, start)
        if fix:
            kept = ~np.isin(block.facilities, dropped)
            block.employee[_CNA][np.isin(block.facilities, changed), :7] += 200
            block = Block(
                facilities=block.facilities[kept],
                weekend=block.weekend,
                census=block.census[kept],
                employee=block.employee[:, kept],
                contract=block.contract[:, kept],
            )
        if block.facilities.size:
            yield block


def _draw(world: World, quarter: Quarter, days: int | None, start: int) -> Block:
    rows = slice(start, min(start + BLOCK, len(world)))
    index = np.arange(rows.start, rows.stop)
    weekend = np.array([day.weekday() >= _SATURDAY for day in quarter.dates(days)])
    shape = (index.size, weekend.size)
    # The block's number is part of the seed: a block can be drawn without those before it.
    rng = np.random.default_rng([world.seed, 2, quarter.index, start])

    drift = np.round(world.census[rows] * rng.uniform(0.96, 1.04, index.size))[:, None]
    walk = np.cumsum(rng.integers(-1, 2, shape), axis=1)
    census = np.clip(drift + walk, 20, np.minimum(world.beds[rows], 180)[:, None]).astype(np.int64)

    season = rng.uniform(0.95, 1.05, index.size)
    paid = (_RATE[:, None] * world.level[:, rows] * season * 100)[:, :, None] * census
    paid *= _weekday_factor(weekend)[:, None, :]
    paid *= np.clip(1 + 0.09 * rng.standard_normal(paid.shape, dtype=np.float32), 0.4, 1.6)
    grain = np.where(world.quarter_hours[rows], 25, 1)[:, None]
    total = np.rint(paid / grain).astype(np.int64) * grain

    # Shifts filled by contract staff vary from day to day around the facility's share.
    share = world.contract[rows, None] * rng.uniform(0.4, 1.6, shape)
    contract = np.zeros_like(total)
    contract[_MAY_BE_CONTRACT] = np.rint(total[_MAY_BE_CONTRACT] * share).astype(np.int64)
    block = Block(index, weekend, census, total - contract, contract)
    _add_quirks(block, world, rng)
    return block


def _weekday_factor(weekend: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Factors of mean 1 over a week, by category and day (8, d)."""
    dip = np.where(_IS_ADMIN, _WEEKEND_ADMIN, _WEEKEND_DIRECT)[:, None]
    factor: NDArray[np.float64] = np.where(weekend, dip, (7 - 2 * dip) / 5)
    return factor


def _add_quirks(block: Block, world: World, rng: np.random.Generator) -> None:
    """Puts the odd days of the odd facilities into a block, in place."""
    days = block.weekend.size
    for role, length in (("zero_census", 3), ("zero_hours", 5)):
        for row in np.flatnonzero(np.isin(block.facilities, getattr(world.roles, role))).tolist():
            # Never all days: a facility without any resident-day would have no hours per resident day.
            span = min(length, days - 1)
            first = int(rng.integers(days - span + 1))
            if role == "zero_census":
                block.census[row, first : first + span] = 0
            else:
                block.employee[:, row, first : first + span] = 0
                block.contract[:, row, first : first + span] = 0
    for row in np.flatnonzero(np.isin(block.facilities, world.roles.outlier)).tolist():
        day = int(rng.integers(days))
        block.employee[_LPN, row, day], block.contract[_LPN, row, day] = OUTLIER_CENTS


@dataclass
class QuarterSums:
    """Sums of a quarter per facility of the world; zero where a facility is not in the file.

    ``hours``, ``weekend_hours`` (cents by category) and the resident-days beside them leave out days without
    residents, as CMS does in its rates; the ``all_`` ones hold every day.

    Attributes:
        facilities: How many facilities the world has.
        days: Days of the file.
    """

    facilities: int
    days: int
    rows: NDArray[np.int64] = field(init=False)
    all_residents: NDArray[np.int64] = field(init=False)
    all_hours: NDArray[np.int64] = field(init=False)
    all_contract: NDArray[np.int64] = field(init=False)
    zero_census_rows: int = 0
    zero_hours_rows: int = 0
    residents: NDArray[np.int64] = field(init=False)
    weekend_residents: NDArray[np.int64] = field(init=False)
    hours: NDArray[np.int64] = field(init=False)
    weekend_hours: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        for name in ("rows", "all_residents", "all_hours", "all_contract", "residents", "weekend_residents"):
            setattr(self, name, np.zeros(self.facilities, dtype=np.int64))
        self.hours = np.zeros((len(CATEGORIES), self.facilities), dtype=np.int64)
        self.weekend_hours = np.zeros_like(self.hours)

    def add(self, block: Block) -> None:
        """Adds a block."""
        rows, total = block.facilities, block.employee + block.contract
        occupied = block.census > 0
        counted = total * occupied
        daily = total.sum(axis=0)
        self.rows[rows] = block.census.shape[1]
        self.all_residents[rows] = self.residents[rows] = block.census.sum(axis=1)
        self.all_hours[rows] = daily.sum(axis=1)
        self.all_contract[rows] = block.contract.sum(axis=(0, 2))
        self.zero_census_rows += int((~occupied).sum())
        self.zero_hours_rows += int((daily == 0).sum())
        self.weekend_residents[rows] = block.census[:, block.weekend].sum(axis=1)
        self.hours[:, rows] = counted.sum(axis=2)
        self.weekend_hours[:, rows] = counted[:, :, block.weekend].sum(axis=2)
