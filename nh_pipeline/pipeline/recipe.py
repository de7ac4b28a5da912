"""Recipes: short names for how a slice of a table is made, apart from what it is made of.

A recipe is a hash of everything that decides a result beside the inputs: columns, types and rules of the contract, the
kind of step, and the transforms' code. It is noted with what was built (:mod:`.memory`): a new spelling of a column, a
new column or a mended transform gives another recipe, and makes what was built by the old one stale. It is Dagster's
``code_version``, too. Docstrings, comments and descriptions are no part of it.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import textwrap
from functools import cache
from typing import TYPE_CHECKING, Any

from nh_pipeline.contracts.bronze import BRONZE, REJECTS
from nh_pipeline.contracts.gold import FACILITY_MEASURES
from nh_pipeline.contracts.raw import DATASETS, canonical_header
from nh_pipeline.contracts.silver import DIM_CLAIMS, DIM_DATE, DIM_PROVIDERS, FCT_STAFFING_LEVELS
from nh_pipeline.transforms import dates, measures, scd2, staffing, values
from nh_pipeline.transforms import typed as monthly

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import ModuleType

    from nh_pipeline.contracts.base import Contract

PARSE = "parse-1"
"""Kind of the steps of bronze. To be counted up when the same bytes give other rows."""

_MADE_BY: dict[str, tuple[str, tuple[ModuleType, ...]]] = {
    FCT_STAFFING_LEVELS.name: ("daily-1", (staffing, values)),
    DIM_PROVIDERS.name: ("scd2-1", (monthly, scd2, values)),
    DIM_CLAIMS.name: ("scd2-1", (monthly, scd2, values)),
    DIM_DATE.name: ("calendar-1", (dates,)),
    FACILITY_MEASURES.name: ("as-of-1", (measures,)),
}
"""Kind of step, to be counted up when it makes other rows of the same inputs, and the transforms that it uses."""


def recipe(contract: Contract) -> str:
    """The recipe of a silver or gold table."""
    kind, modules = _MADE_BY[contract.name]
    return _short([kind, *_contract(contract), *(line for module in modules for line in _code(module))])


def parse_recipe(dataset: str, header: Sequence[str]) -> str:
    """The recipe by which a file of this header becomes bronze: what each of its columns is taken for.

    A spelling or column that this header does not use changes nothing.

    Args:
        dataset: Name of the dataset.
        header: Cells of line 1, as the file writes them.

    Raises:
        HeaderError: The header is no known one of the dataset (any more).
    """
    found = canonical_header(dataset, header)
    return _short(
        [PARSE, found.layout, *(name or f"?{cell}" for name, cell in zip(found.columns, header, strict=True))]
    )


def code_version(contract: Contract) -> str:
    """What Dagster compares: the recipe; of a bronze table, one that stands for every header."""
    if contract.name in _MADE_BY:
        return recipe(contract)
    dataset = next((DATASETS[name] for name, bronze in BRONZE.items() if bronze is contract), None)
    if contract is REJECTS or dataset is None:
        return PARSE
    columns = [f"{c.name} {sorted(c.labels)} {c.required}" for c in dataset.table]
    return _short([PARSE, *columns, *map(repr, (dataset.layouts, dataset.misprints, dataset.signature, dataset.value))])


def _contract(contract: Contract) -> list[str]:
    columns = []
    for name, column in contract.schema.columns.items():
        checks = [f"{check.name} {sorted((check.statistics or {}).items())}" for check in column.checks]
        columns.append(f"{name} {column.dtype.type.simpleString()} {column.nullable} {checks}")
    rules = [f"{rule.name} {rule.sql} {rule.blocking}" for rule in contract.rules]
    facts = (contract.grain, contract.layout, contract.sort, contract.tracked, sorted(contract.caseless))
    return [contract.name, *columns, *rules, *map(repr, facts)]


def _code(module: ModuleType) -> Iterable[str]:
    """A module's functions and constants, as they are now: whoever replaces one changes the recipe."""
    for name, value in sorted(vars(module).items()):
        if inspect.isfunction(value):
            yield f"{name} {_source(value)}"
        elif not name.startswith("__") and isinstance(value, (str, int, float, tuple, dict)):
            yield f"{name} {value!r}"


@cache
def _source(function: Callable[..., Any]) -> str:
    """The lines of a function that do something. Lines, as the syntax tree differs between versions of Python."""
    text = textwrap.dedent(inspect.getsource(function))
    told: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) is not None:
            told |= set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    lines = (line.rstrip() for n, line in enumerate(text.splitlines(), 1) if n not in told)
    return "\n".join(line for line in lines if line and not line.lstrip().startswith("#"))


def _short(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
