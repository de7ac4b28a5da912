"""Recipes: short names for how a partition of a table is made, apart from what it is made of.

A recipe is a hash of everything that decides a result beside the inputs: columns, types and rules of the table, its
kind, and the transforms' code. It is noted with what was built (:mod:`.build_state`): a new spelling of a column, a
new column or a mended transform gives another recipe, and makes what was built by the old one stale. It is Dagster's
``code_version``, too. Docstrings, comments and descriptions of columns are no part of it.

Declarations and code stay as they are while a process runs, so each recipe is made once in it. Whoever changes them
nevertheless calls :func:`forget_recipes`.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import textwrap
from dataclasses import fields, is_dataclass
from functools import cache
from operator import itemgetter
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from nh_pipeline import datasets
from nh_pipeline.datasets.headers import canonical_header
from nh_pipeline.model.kinds import Bronze, Calendar, Daily, PerRelease, Scd2
from nh_pipeline.model.mart import AsOf, Lookup, Mart, Previous, Within
from nh_pipeline.model.quality import Quality
from nh_pipeline.transforms import as_of, repeats, scd2, typed, values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from nh_pipeline.model.dataset import Dataset
    from nh_pipeline.model.table import Table
    from nh_pipeline.model.view import Export

PARSE = "parse-1"
"""Kind of the builds of bronze. To be counted up when the same bytes give other rows."""

INSPECT = "inspect-2"
"""Kind of the notes on deliveries. To be counted up when they tell more of the same lines."""

EXPORT = "export-1"
"""Kind of the builds of exports. To be counted up when the same bytes give other rows."""

_KINDS: dict[type, tuple[str, tuple[ModuleType, ...]]] = {
    Daily: ("daily-2", (typed, values)),
    PerRelease: ("release-1", (repeats, typed, values)),
    Scd2: ("scd2-2", (typed, scd2, values)),
    Calendar: ("calendar-1", ()),
    Mart: ("mart-1", (as_of,)),
    Quality: ("quality-1", ()),
}
"""Kind of build, to be counted up when it makes other rows of the same inputs, and the transforms that it uses."""


@cache
def recipe(table: Table) -> str:
    """The recipe of a silver or gold table."""
    name, modules = _KINDS[type(table.kind)]
    code = (line for module in modules for line in _code(module))
    return _short([name, *_declared(table), *code, *_reached(getattr(table.kind, "transform", None))])


@cache
def judged_by(dataset: Dataset) -> str:
    """The recipe by which the lines of a file are judged: those of all tables that they become."""
    return _short([INSPECT, *(recipe(table) for table in dataset.silver)])


def parse_recipe(dataset: str, header: Sequence[str]) -> str:
    """The recipe by which a file of this header becomes bronze: what each of its columns is taken for.

    A spelling or column that this header (cells as the file writes them) does not use changes nothing.

    Raises:
        HeaderError: The header is no known one of the dataset (any more).
    """
    found = canonical_header(dataset, header)
    return _short(
        [PARSE, found.layout, *(name or f"?{cell}" for name, cell in zip(found.columns, header, strict=True))]
    )


@cache
def export_recipe(export: Export) -> str:
    """The recipe by which a delivery of many resources becomes all its tables."""
    views = (table.kind.view for table in export.tables)
    declared = (line for table in export.tables for line in _declared(table))
    return _short([EXPORT, *declared, *map(repr, views), *map(repr, export.read_by)])


@cache
def code_version(table: Table) -> str:
    """What Dagster compares: the recipe; of a bronze table, one that stands for every header."""
    if export := datasets.export_of(table):
        return _short([export_recipe(export), table.name])
    if not isinstance(table.kind, Bronze):
        return recipe(table) if type(table.kind) in _KINDS else PARSE
    dataset = datasets.dataset(table.dataset)
    columns = [f"{c.name} {sorted(c.labels)} {c.required}" for c in dataset.columns]
    return _short([PARSE, *columns, *map(repr, (dataset.eras, dataset.corrections, dataset.told_by, dataset.value))])


def forget_recipes() -> None:
    """Lets the recipes be made anew, of what is declared now."""
    for made in (recipe, judged_by, export_recipe, code_version):
        made.cache_clear()


def _declared(table: Table) -> list[str]:
    columns = [f"{c.name} {c.type.sql} {c.nullable} {c.allowed!r}" for c in table.columns]
    rules = [f"{rule.name} {rule.sql} {rule.blocking}" for rule in table.rules]
    kind = table.kind
    facts: list[Any] = [table.grain, table.partitioning, table.sort]
    if isinstance(kind, Scd2):
        facts += [kind.tracked, sorted(kind.caseless), kind.untracked, kind.scope() if kind.scope else ""]
    if isinstance(kind, Mart):
        facts += [_read(r) for r in kind.reads]
        facts += [name for name in ("quarter", "release", "bucket") if getattr(kind, name)]
    if table.dataset:
        dataset = datasets.dataset(table.dataset)
        facts += [dataset.key, dataset.dated_by, dataset.changed_by is not None, dataset.day]
    return [table.name, *columns, *rules, *map(repr, facts)]


def _read(read: Table | AsOf | Previous | Within | Lookup) -> Any:
    if isinstance(read, AsOf):
        return read.table.name, read.uses
    if isinstance(read, Lookup):
        return read.table.name, read.key
    if isinstance(read, Within):
        return read.table.name, read.before, read.after, read.last
    return (read.table.name, "previous") if isinstance(read, Previous) else read.name


def _code(module: ModuleType) -> Iterable[str]:
    """A module's functions and constants, as they are now: whoever replaces one changes the recipe."""
    for name, value in sorted(vars(module).items()):
        if inspect.isfunction(value):
            yield f"{name} {_source(value)}"
        elif not name.startswith("__") and _is_plain(value):
            yield f"{name} {value!r}"


def _reached(transform: Callable[..., Any] | None) -> Iterator[str]:
    """The sources of a transform and of all functions of ours that it may call, and the constants that these name.

    Constants may be objects of ours, with functions of their own; those of the model are told by the declarations.
    """
    waiting: list[Any] = [transform] if isinstance(transform, FunctionType) else []
    seen = set[str]()
    while waiting:
        one = waiting.pop()
        if isinstance(one, FunctionType):
            yield f"{one.__name__} {_source(one)}"
            named = [(f"{one.__module__}.{name}", name, one.__globals__.get(name)) for name in _names(one.__code__)]
        else:
            kind = one if isinstance(one, type) else type(one)
            parts = [] if one is kind else [(f"{id(one)}.{f.name}", f.name, getattr(one, f.name)) for f in fields(one)]
            written = {name: value for name, value in vars(kind).items() if not name.startswith("__")}
            code = ((name, getattr(value, "fget", value)) for name, value in written.items())
            named = [*((f"{kind.__qualname__}.{name}", name, value) for name, value in code), *parts]
        for key, name, value in sorted(named, key=itemgetter(0)):
            if key in seen:
                continue
            seen.add(key)
            if _is_plain(value):
                yield f"{name} {value!r}"
            else:
                waiting += filter(_is_ours, value if isinstance(value, tuple) else [value])


def _is_ours(value: Any) -> bool:
    """Whether it is code of ours, or an object with such code, that nothing else tells of."""
    of = value if isinstance(value, (FunctionType, type)) else type(value)
    module = str(getattr(of, "__module__", ""))
    described = isinstance(value, FunctionType) or is_dataclass(of)
    return described and module.startswith("nh_pipeline.") and not module.startswith("nh_pipeline.model.")


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(_is_plain(v) for item in value.items() for v in item)
    return isinstance(value, (str, int, float)) or (isinstance(value, tuple) and all(map(_is_plain, value)))


def _names(code: Any) -> set[str]:
    inner = (constant for constant in code.co_consts if inspect.iscode(constant))
    return set(code.co_names).union(*(_names(constant) for constant in inner))


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
