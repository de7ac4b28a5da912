"""What the Glue job runs: this package as a wheel, the job's script, and the exact versions of what it imports.

The wheel is made of the package that this process runs, from a source tree or installed alike, without a network. The
same code gives the same bytes; the folder that it is uploaded to is named by them, so a running job keeps its code
while the next one is deployed. Jobs install the rest from PyPI, or all of it from one zip of wheels.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import io
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from zipfile import ZipFile, ZipInfo

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import nh_pipeline
from nh_pipeline.aws.stack import DeployError
from nh_pipeline.engines.glue_job import REQUIRES

if TYPE_CHECKING:
    from collections.abc import Iterable

DISTRIBUTION = "nh-pipeline"
SCRIPT = "glue_job.py"
"""Name of the script, in the package and below the folder of its code."""

BROUGHT_BY_GLUE = {
    "pyspark": "3.5.6",
    "py4j": "0.10.9.7",
    "numpy": "2.3.4",
    "pandas": "2.3.3",
    "pytz": "2025.2",
    "python-dateutil": "2.9.0.post0",
    "six": "1.17.0",
}
"""Distributions of Glue 5.1 that stay as they are; as the AWS Glue Developer Guide lists them."""

WHEELS = ".gluewheels.zip"
"""How a zip of wheels ends, by which Glue knows it."""

_PLATFORMS = ("manylinux_2_34_x86_64", "manylinux_2_28_x86_64", "manylinux2014_x86_64")
"""Of Glue 5.1, by the same guide."""

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
        name: version and a digest of the wheel, the script and the requirements.
        wheel: file name of the wheel, or of the zip of all wheels.
        files: contents by file name: that and the script.
        requirements: ``name==version`` of everything that the job installs beside the wheel.
    """

    name: str
    wheel: str
    files: dict[str, bytes]
    requirements: tuple[str, ...]

    @property
    def parameters(self) -> dict[str, str]:
        """Of the template. With a zip of all wheels, the job is told of no requirements."""
        listed = () if self.wheel.endswith(WHEELS) else self.requirements
        return {"Code": self.name, "Wheel": self.wheel, "Requirements": ",".join(listed)}


def build(*, offline: bool = False) -> Code:
    """Packs the code that this process runs, and, for jobs that reach no PyPI (``offline``), all that it needs."""
    version = importlib.metadata.version(DISTRIBUTION)
    wheel = f"{DISTRIBUTION.replace('-', '_')}-{version}-py3-none-any.whl"
    files = {wheel: _wheel(wheel, version), SCRIPT: (_PACKAGE / "engines" / SCRIPT).read_bytes()}
    requirements = tuple(sorted(_pinned(REQUIRES)))
    digest = hashlib.sha256("\n".join(requirements).encode())
    for _, content in sorted(files.items()):
        digest.update(hashlib.sha256(content).digest())
    if offline:
        all_of_it = f"{DISTRIBUTION}{WHEELS}"
        files[all_of_it] = _zip_of_wheels(wheel, files.pop(wheel), requirements)
        wheel = all_of_it
    return Code(f"{version}-{digest.hexdigest()[:12]}", wheel, files, requirements)


def _zip_of_wheels(wheel: str, content: bytes, requirements: Iterable[str]) -> bytes:
    """A wheel and those that pip downloads for Glue, as the guide's appendix A has them.

    Raises:
        DeployError: pip cannot get them.
    """
    with TemporaryDirectory(prefix="nh-wheels-") as folder:
        platforms = [option for name in _PLATFORMS for option in ("--platform", name)]
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--only-binary=:all:", "--python-version", _GLUE["python_version"], *platforms, "--dest", folder]
        done = subprocess.run([*command, *requirements], capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise DeployError(f"pip could not download what the job needs: {done.stderr.strip()[-500:]}")
        wheels = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
    wheels |= {wheel: content, "requirements.txt": "\n".join([*requirements, DISTRIBUTION]).encode()}
    packed = io.BytesIO()
    with ZipFile(packed, "w") as archive:
        for name, data in sorted(wheels.items()):
            archive.writestr(ZipInfo(f"wheels/{name}"), data)  # what wheels hold is compressed
    return packed.getvalue()


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
            except importlib.metadata.PackageNotFoundError:  # of another Python than this one
                least = next((str(s) for s in wanted.specifier if s.operator in ("==", "~=", ">=")), "")
                pinned[name] = f"{name}{least}"  # a range has commas, which divide the job's list
                continue
            pinned[name] = f"{name}=={found.version}"
            needs = map(Requirement, found.requires or ())
            waiting += [r for r in needs if r.marker is None or r.marker.evaluate({**_GLUE, "extra": extra})]
    return set(pinned.values())
