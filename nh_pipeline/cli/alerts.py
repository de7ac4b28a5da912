"""``nh alerts``: what people are told of, and whether they would be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from nh_pipeline.cli.terminal import FAILED, USAGE, console, errors, lake_of, read_settings, stop

if TYPE_CHECKING:
    from nh_pipeline.alerts.receivers import Receiver

app = typer.Typer(help="Alerts: what they would tell now, and whether they arrive.", no_args_is_help=True)


@app.command()
def show() -> None:
    """Show what a person must know now, whether or not it was told."""
    from nh_pipeline.cli.show import safe
    from nh_pipeline.landing import RawZone
    from nh_pipeline.orchestration.check_keys import check_keys
    from nh_pipeline.orchestration.concerns import concerns
    from nh_pipeline.orchestration.instance import known_instance

    settings = read_settings()
    lake = lake_of(settings)
    with known_instance(settings) as instance:
        found = concerns(
            instance,
            lake,
            RawZone(lake.storage),
            check_keys(settings),
            ui=settings.ui_url,
            warnings=settings.alerts_warnings,
        )
    for concern in found:
        console.print(safe(concern.line))
    if not found:
        console.print("nothing that a person must know")


@app.command()
def test() -> None:
    """Send a test message to all that get alerts."""
    from nh_pipeline.alerts.receivers import receivers

    settings = read_settings()
    found = receivers(settings)
    if not found:
        stop("nobody gets alerts: set NH_ALERTS_WEBHOOK or NH_ALERTS_MAIL_TO", USAGE)
    taken = [_took(receiver, settings.home) for receiver in found]
    if not all(taken):
        raise typer.Exit(FAILED)


def _took(receiver: Receiver, home: str) -> bool:
    from nh_pipeline.alerts.receivers import NotDeliveredError

    try:
        receiver.send(f"nh, {home}: test", f"nh, {home}: a test. Alerts arrive here.")
    except NotDeliveredError as error:
        errors.print(str(error), style="red", markup=False)
        return False
    console.print(f"the {receiver.name} took a test message")
    return True
