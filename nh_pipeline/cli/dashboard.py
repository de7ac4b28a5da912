"""``nh dashboard``: the dashboard on the lake, for whoever sits at this machine."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from nh_pipeline.cli.terminal import USAGE, console, read_settings, require_port, stop

EXTRA = "pip install 'nh-pipeline[dashboard]'"


def dashboard(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = 8501,
) -> None:
    """Start the dashboard on the lake (NH_HOME, or Athena with NH_ATHENA_WORKGROUP); Ctrl-C ends it."""
    if sys.version_info < (3, 11):
        stop("The dashboard needs Python 3.11 or later, as Streamlit does; nh report works with 3.10", USAGE)
    if missing := [name for name in ("streamlit", "altair", "vl_convert") if find_spec(name) is None]:
        stop(f"The dashboard needs {missing[0]}: {EXTRA}", USAGE)
    import dashboard as package

    settings = read_settings()
    require_port(port)
    place = Path(package.__file__).parent
    console.print(f"The dashboard on {settings.home}; Ctrl-C ends it", soft_wrap=True)
    os.environ["NH_HOME"] = settings.home
    # The package from where it is, whatever is called the same in the folder that this was started in (-P).
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(place.parent), os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-P", "-m", "streamlit", "run", str(place / "app.py"), "--server.port", str(port)]
    os.execv(sys.executable, command)  # noqa: S606 (our own interpreter, no shell)
