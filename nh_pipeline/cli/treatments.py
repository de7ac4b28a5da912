"""``nh treatments``: a DynamoDB table of treatments, extracted, checked, or imported from AWS's own exports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from nh_pipeline.cli.terminal import FAILED, QUARANTINED, USAGE, console, read_settings, stop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from nh_pipeline.landing import Landed, RawZone
    from nh_pipeline.settings import Settings
    from nh_pipeline.sources.dynamodb import Table

app = typer.Typer(help="Treatments of a DynamoDB table.", no_args_is_help=True)


@app.command()
def extract(
    *,
    full: Annotated[bool, typer.Option("--full", help="All items, not what has changed.")] = False,
    mode: Annotated[Literal["scan", "query"] | None, typer.Option(help="How (default: NH_TREATMENTS_MODE).")] = None,
    from_: Annotated[
        str, typer.Option("--from", help="What was modified since, as 2024-05-01T12:00:00Z (default: the watermark).")
    ] = "",
) -> None:
    """Land what has changed in the table since the last time, or all of it."""
    from nh_pipeline.sources.dynamodb_items import instant

    since = instant(from_) if from_ else None
    if from_ and since is None:
        stop(f"--from {from_}: expected an instant, as 2024-05-01T12:00:00Z", USAGE)
    if full and since:
        stop("--full reads everything, --from what was modified since: expected one of them", USAGE)
    settings = _settings()
    from nh_pipeline.landing.extraction import extract as extracted

    found = extracted(settings, _zone(settings), full=full, mode=mode, since=since)
    of = f"modified since {_told(found.since)}" if found.since else "of the whole table"
    console.print(f"{found.items:,} items {of} ({found.mode})")
    if found.landed is None:
        console.print("the same ones as the last time: nothing to land")
    console.print(f"watermark: {_told(found.watermark)}")
    _tell([found.landed] if found.landed else [], found.held)


@app.command(name="import")
def import_(
    address: Annotated[str, typer.Argument(help="A folder, or s3://bucket/prefix, with exports by AWS.")],
) -> None:
    """Land exports to S3 that AWS itself made of the table."""
    from nh_pipeline.landing.native_exports import land_exports
    from nh_pipeline.sources.protocol import SourceMissing

    settings = read_settings()
    try:
        _tell(land_exports(_zone(settings), address))
    except SourceMissing as error:
        stop(str(error), USAGE)


@app.command()
def check() -> None:
    """Say in plain words what the table, its index or the permissions lack."""
    settings = _settings()
    from nh_pipeline.landing.extraction import table_of
    from nh_pipeline.sources.protocol import SourceUnavailable

    missing = 0
    for what, needed, look in _looks(settings, table_of(settings)):
        try:
            mark, told = "✓", look()
        except SourceUnavailable as error:
            mark, told = "✗" if needed else "-", str(error)
            missing += needed
        console.print(f"{mark} {what:8}{told}", style="red" if mark == "✗" else None, markup=False, soft_wrap=True)
    if missing:
        raise typer.Exit(FAILED)
    console.print("Nothing is missing")


def _looks(settings: Settings, table: Table) -> Iterable[tuple[str, bool, Callable[[], str]]]:
    """What to look at, whether an extraction needs it, and how."""
    from datetime import datetime, timezone

    from nh_pipeline.sources.protocol import SourceUnavailable

    def described() -> str:
        found = table.described()
        return f"{table.name} is {found['TableStatus']}, with about {found['ItemCount']:,} items"

    def scanned() -> str:
        table.try_out(table.scan(None)[0])
        return "may be scanned"

    def queried() -> str:
        table.try_out(table.query(datetime.now(tz=timezone.utc), table.described())[0])
        return f"{table.index} may be queried"

    def exported() -> str:
        if not table.recoverable():
            raise SourceUnavailable("AWS cannot export the table: its point-in-time recovery is off.")
        return "AWS can export the table to S3"

    yield "table", True, described
    yield "scan", True, scanned
    if settings.treatments_index:
        yield "index", True, queried
    yield "export", False, exported


def _zone(settings: Settings) -> RawZone:
    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.landing import RawZone

    return RawZone(Lake(settings.home, settings.catalog_properties).storage)


def _settings() -> Settings:
    """The settings, with a table and with the libraries for it."""
    settings = read_settings()
    if not settings.treatments_table:
        stop("No table is named: set NH_TREATMENTS_TABLE to the DynamoDB table of the treatments", USAGE)
    try:
        import boto3  # noqa: F401
    except ImportError:
        stop("DynamoDB needs the libraries for AWS: pip install 'nh-pipeline[aws]'", USAGE)
    return settings


def _tell(landed: Iterable[Landed], why_held: str = "") -> None:
    """What became of deliveries; ends the command if some went into quarantine, or are held."""
    from nh_pipeline.cli.show import safe
    from nh_pipeline.landing import Manifest, Quarantined

    counting = True
    for each in landed:
        document = each.document
        facts = document.export if isinstance(document, Manifest) else None
        held = why_held or (facts.held if facts else "")
        if isinstance(document, Quarantined):
            console.print(f"[red]quarantined[/] {safe(document.reason)}")
        elif held:
            console.print(
                f"[yellow]held[/] {safe(document.name)}: {safe(held)}. If it is right: nh confirm {document.md5[:8]}"
            )
        else:
            console.print(f"{'landed' if each.created else 'known already'}: {safe(document.name)}")
        if facts and facts.refused:
            told = f"{facts.refused:,} of {facts.records + facts.refused:,} items are refused"
            console.print(f"[yellow]refused[/] {told}: treatments_bronze.rejects will say why")
        counting = counting and not held and not isinstance(document, Quarantined)
    if not counting:
        raise typer.Exit(QUARANTINED)


def _told(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else "none"
