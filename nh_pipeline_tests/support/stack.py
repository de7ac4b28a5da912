"""The services of ``docker-compose.yml`` without containers: each command as a process of this machine.

Commands, environments, health checks and their order are those of the file and of the Dockerfile. Only names are
others: hosts and addresses become loopback, ports free ones, folders temporary ones, and the definitions those with few
marts. Postgres is Debian's. What a container's end takes with it is a process group here.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from nh_pipeline_tests.support.local import Server
from nh_pipeline_tests.support.postgres import Cluster

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from typing_extensions import Self

REPOSITORY = Path(__file__).resolve().parents[2]
DEFINITIONS = "nh_pipeline_tests.support.quick_definitions"
_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?:(?P<operator>:[?-])(?P<rest>[^}]*))?\}")
_PORTS = ("3000", "4000", "5432", "8501")
NO_CLOCK = "no libfaketime: install faketime (Debian)"


def compose(variables: Mapping[str, str]) -> dict[str, Any]:
    """The file as Compose reads it, with variables as from ``.env``.

    Raises:
        KeyError: a variable that the file demands is missing or empty.
    """

    def value(found: re.Match[str]) -> str:
        name, operator, rest = found["name"], found["operator"], found["rest"]
        if known := variables.get(name):
            return known
        if operator == ":?":
            raise KeyError(rest)
        return rest or ""

    def filled(told: Any) -> Any:
        if isinstance(told, dict):
            return {key: filled(one) for key, one in told.items()}
        if isinstance(told, list):
            return [filled(one) for one in told]
        return _VARIABLE.sub(value, told) if isinstance(told, str) else told

    return filled(yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text()))


def dockerfile() -> tuple[dict[str, str], str]:
    """The environment and the working directory of the image."""
    text = (REPOSITORY / "Dockerfile").read_text().replace("\\\n", " ")
    last = text[text.rindex("\nFROM ") :]
    settings = [pair for line in re.findall(r"^ENV (.*)$", last, re.MULTILINE) for pair in shlex.split(line)]
    (workdir,) = re.findall(r"^WORKDIR (.*)$", last, re.MULTILINE)
    return dict(pair.split("=", 1) for pair in settings), workdir


class Service:
    """One service of the file."""

    def __init__(self, stack: Stack, name: str, declared: Mapping[str, Any]):
        self.name, self.declared, self.log = name, declared, stack.folder / f"{name}.log"
        self.command = [stack.here(word) for word in declared.get("command", [])]
        self.env, self.cwd = stack.environment(declared), stack.here(stack.workdir)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                self.command, env=self.env, cwd=self.cwd, stdout=out, stderr=out, start_new_session=True
            )

    def healthy(self, test: list[str]) -> bool:
        """Whether its check says so; who does not listen yet is not asked, as a check takes seconds."""
        if "--port" in self.command and not _listens(self.command[self.command.index("--port") + 1]):
            return False
        check = subprocess.run(test, env=self.env, cwd=self.cwd, capture_output=True, timeout=60, check=False)
        return check.returncode == 0

    def end(self, how: signal.Signals) -> None:
        """Ends it with all its processes, as the end of a container does."""
        if self.process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, how)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=15)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=15)


class Database(Service):
    """Postgres, as its image would make it on first start."""

    def __init__(self, stack: Stack, name: str, declared: Mapping[str, Any]):
        super().__init__(stack, name, declared)
        env = declared["environment"]
        self._port, self._name = stack.here("5432"), env["POSTGRES_DB"]
        self.cluster, self._made = Cluster(password=env["POSTGRES_PASSWORD"]), False
        self.env["PATH"] = f"{self.cluster.programs}:{self.env['PATH']}"
        connection = {"PGHOST": "127.0.0.1", "PGPORT": self._port}
        self.env |= {**connection, "PGUSER": env["POSTGRES_USER"], "PGPASSWORD": env["POSTGRES_PASSWORD"]}

    def start(self) -> None:
        self.cluster.start("-c listen_addresses=127.0.0.1", f"-c port={self._port}")
        if not self._made:
            subprocess.run(["createdb", self._name], env=self.env, check=True)
            self._made = True

    def end(self, _: signal.Signals) -> None:
        with suppress(subprocess.CalledProcessError):  # it is down
            self.cluster.stop()


class Clock:
    """A clock that is set by tests, of services that are told of it before they start: libfaketime of Debian."""

    def __init__(self, stack: Stack):
        self._stack, self._folder = stack, stack.folder / "clock"
        self._library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
        self.available = self._library is not None

    def given_to(self, *names: str) -> None:
        """The right time, until it is :meth:`set`. Times of files, and how long something takes, are as they are."""
        self._folder.mkdir()
        self.set("+0")
        # Python's own sleep waits until an instant of the monotonic clock, which libfaketime takes for its own.
        sleep = "import select, time\ntime.sleep = lambda seconds: select.select((), (), (), seconds)\n"
        (self._folder / "sitecustomize.py").write_text(sleep)
        for name in names:
            env = self._stack.services[name].env
            env |= {"LD_PRELOAD": str(self._library), "FAKETIME_TIMESTAMP_FILE": str(self._folder / "off")}
            env |= {"FAKETIME_CACHE_DURATION": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1"}
            env["PYTHONPATH"] = f"{self._folder}:{env['PYTHONPATH']}"

    def set(self, off: str) -> None:
        """By how much it is off (``-1h``), from the next second on."""
        new = self._folder / "new"
        new.write_text(off)
        new.rename(self._folder / "off")


class Stack:
    """All services; a context that starts them in their order, and ends them."""

    def __init__(self, folder: Path):
        self.folder, self.lake, self.deliveries = folder, folder / "lake", folder / "deliveries"
        self.image, self.workdir = dockerfile()
        self._names = {
            **{port: _free_port() for port in _PORTS},
            **dict.fromkeys(("0.0.0.0", "postgres", "code"), "127.0.0.1"),  # noqa: S104 (it is what is replaced)
            "/opt/dagster": str(shutil.copytree(REPOSITORY / "deploy" / "dagster", folder / "dagster")),
            "/lake": str(self.lake),
            "/deliveries": str(self.deliveries),
            "nh_pipeline.orchestration.definitions": DEFINITIONS,
        }
        for place in (self.lake, self.deliveries):
            place.mkdir(parents=True, exist_ok=True)
        self.declared = compose({"POSTGRES_PASSWORD": "a password: 50% 'odd' @/"})["services"]
        made = {
            name: Database if "image" in told and "build" not in told else Service
            for name, told in self.declared.items()
        }
        self.services = {name: made[name](self, name, told) for name, told in self.declared.items()}
        self.clock = Clock(self)
        self._server = Server(None, f"http://127.0.0.1:{self.here('3000')}", self.services["webserver"].log)
        self.graphql = self._server.graphql

    def here(self, text: str) -> str:
        """A text of the file, with the names of this machine."""
        known = "|".join(re.escape(name) for name in sorted(self._names, key=len, reverse=True))
        return re.sub(rf"(?<![\w.-])({known})(?![\w.-])", lambda found: self._names[found[1]], text)

    def environment(self, declared: Mapping[str, Any]) -> dict[str, str]:
        """Of a service: the image's, then the file's; and what Python of this machine needs."""
        told = self.image | declared.get("environment", {})
        env = {name: self.here(str(value)) for name, value in told.items() if name != "PATH"}
        env["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return {"HOME": str(self.folder), "PYTHONPATH": str(REPOSITORY), **env}

    def __enter__(self) -> Self:
        try:
            self.up(*self.declared)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for name in reversed(self.declared):
            self.services[name].end(signal.SIGTERM)
        for service in self.services.values():
            if isinstance(service, Database):
                service.cluster.remove()

    def up(self, *names: str) -> None:
        """Starts services, each when those that it depends on are as it demands, and waits until all are well."""
        demanded = dict.fromkeys(names, "service_healthy")
        for name in names:
            for other, told in self.services[name].declared.get("depends_on", {}).items():
                demanded[other] = told["condition"]
                self._require(other, told["condition"])
            self.services[name].start()
        for name in names:
            self._require(name, demanded[name])

    def _require(self, name: str, condition: str) -> None:
        service = self.services[name]
        if condition == "service_completed_successfully":
            code = service.process.wait(timeout=300)
            assert code == 0, f"{name} ended with {code}\n{service.log.read_text()[-3000:]}"
            return
        kind, *test = map(self.here, service.declared["healthcheck"]["test"])
        assert kind == "CMD"
        self.wait(lambda: service.healthy(test), f"{name} is healthy", 300, every=2)

    def execute(self, name: str, *command: str) -> str:
        """What a command prints in a service, as with ``docker compose exec``."""
        service = self.services[name]
        done = subprocess.run(command, env=service.env, cwd=service.cwd, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def kill(self, *names: str) -> None:
        """Ends services at once, as when their containers are killed together; they stay down until :meth:`up`."""
        for name in names:
            self.services[name].end(signal.SIGKILL)
            self.services[name].process = None

    def revive(self) -> None:
        """Starts what has ended by itself, as the restart policy says."""
        for service in self.services.values():
            ended = service.process is not None and service.process.poll() is not None
            if ended and service.declared["restart"] == "unless-stopped":
                service.start()

    def wait(self, condition: Callable[[], Any], what: str, seconds: float = 600, *, every: float = 0.5) -> Any:
        """What the condition comes to, as soon as it is true of anything."""
        end = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < end, f"{what}: not within {seconds} s\n{self._told()}"
            self.revive()
            time.sleep(every)
        return found

    def _told(self) -> str:
        logs = sorted(self.folder.glob("*.log"))
        return "\n".join(f"--- {log.name}\n{log.read_text()[-2000:]}" for log in logs)


def _listens(port: str) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", int(port))) == 0


def _free_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])
