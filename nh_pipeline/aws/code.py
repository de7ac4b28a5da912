"""What the Glue job runs: this package as a wheel, the job's script, and the exact versions of what it imports.

The wheel is made of the package that this process runs, from a source tree or installed alike, without a network. The
same code gives the same bytes; the folder that it is uploaded to is named by them, so a running job keeps its code
while the next one is deployed.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile, ZipInfo

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import nh_pipeline
from nh_pipeline.engines.glue_job import REQUIRES

if TYPE_CHECKING:
    from collections.abc import Iterable

DISTRIBUTION = "nh-pipeline"
SCRIPT = "glue_job.py"
"""Name of the script, in the package and below the folder of its code."""

BROUGHT_BY_GLUE = frozenset({"pyspark", "py4j", "numpy", "pandas", "pytz", "python-dateutil", "six"})
"""Distributions that Glue 5.1 has, and that stay as Glue has them."""

# Glue 5.1: markers are those of its Python, not of this one.
_GLUE = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.11.0",
    "python_version": "3.11",
    "sys_platform": "linux",
}
_PACKAGE = Path(nh_pipeline.__file__).parent
_KIND = "Root-Is-Purelib: true\nTag: py3-none-any"


@dataclass(frozen=True)
class Code:
    """Files for the folder ``code/<name>/``.

    Attributes:
        wheel: file name of the wheel.
        files: contents by file name: the wheel and the script.
        requirements: ``name==version`` of everything that the job installs beside the wheel.
    """

    wheel: str
    files: dict[str, bytes]
    requirements: tuple[str, ...]

    @property
    def name(self) -> str:
        """Version and a digest of all the files and requirements."""
        digest = hashlib.sha256("\n".join(self.requirements).encode())
        for _, content in sorted(self.files.items()):
            digest.update(hashlib.sha256(content).digest())
        return f"{self.wheel.split('-')[1]}-{digest.hexdigest()[:12]}"

    @property
    def parameters(self) -> dict[str, str]:
        return {"Code": self.name, "Wheel": self.wheel, "Requirements": ",".join(self.requirements)}


def build() -> Code:
    """Packs the code that this process runs."""
    version = importlib.metadata.version(DISTRIBUTION)
    wheel = f"{DISTRIBUTION.replace('-', '_')}-{version}-py3-none-any.whl"
    return Code(
        wheel=wheel,
        files={wheel: _wheel(wheel, version), SCRIPT: (_PACKAGE / "engines" / SCRIPT).read_bytes()},
        requirements=tuple(sorted(_pinned(REQUIRES))),
    )


def _wheel(name: str, version: str) -> bytes:
    sources = (p for p in _PACKAGE.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    contents = {f"{_PACKAGE.name}/{p.relative_to(_PACKAGE).as_posix()}": p.read_bytes() for p in sources}
    about = f"{name.rpartition('-py3')[0]}.dist-info"
    contents[f"{about}/METADATA"] = f"Metadata-Version: 2.1\nName: {DISTRIBUTION}\nVersion: {version}\n".encode()
    contents[f"{about}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: {DISTRIBUTION}\n{_KIND}\n".encode()
    contents[f"{about}/RECORD"] = "".join([*map(_recorded, contents.items()), f"{about}/RECORD,,\n"]).encode()
    packed = io.BytesIO()
    with ZipFile(packed, "w") as archive:
        for member, content in sorted(contents.items()):
            archive.writestr(ZipInfo(member), content)  # no time, no compression: equal bytes on every machine
    return packed.getvalue()


def _recorded(member: tuple[str, bytes]) -> str:
    path, content = member
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{path},sha256={digest},{len(content)}\n"


def _pinned(names: Iterable[str]) -> set[str]:
    """``name==version``, as installed here, of distributions and of all that they need in turn on Glue."""
    pinned: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [Requirement(name) for name in names]
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        for extra in ("", *wanted.extras):
            if name in BROUGHT_BY_GLUE or (name, extra) in seen:
                continue
            seen.add((name, extra))
            try:
                found = importlib.metadata.distribution(name)
            except importlib.metadata.PackageNotFoundError:  # of another Python than this one: its range will do
                pinned[name] = f"{name}{wanted.specifier}"
                continue
            pinned[name] = f"{name}=={found.version}"
            needs = map(Requirement, found.requires or ())
            waiting += [r for r in needs if r.marker is None or r.marker.evaluate({**_GLUE, "extra": extra})]
    return set(pinned.values())
