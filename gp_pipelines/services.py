"""services.yaml → typed, validated service definitions. Reads files, and nothing else.

A wrong file is refused whole, with the path of each wrong field and what was expected.
"""

import hashlib
import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from gp_pipelines.errors import ConfigInvalid

NAME = re.compile(r"[a-z][a-z0-9-]{0,40}[a-z0-9]")
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")
Seconds = Annotated[float, Field(gt=0, le=86400)]


class Strict(BaseModel):
    """An unknown key is a mistake, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class WheelArtifact(Strict):
    """A Python wheel built from a source tree, with its locked dependencies."""

    kind: Literal["wheel"]
    source: Path  # relative to services.yaml; holds pyproject.toml
    requirements: Path = Path("requirements.txt")  # in `source`: pinned, with hashes
    versions: tuple[str, ...] = ()  # those known beforehand, offered in the launchpad


class LocalTarget(Strict):
    """Processes, Envoy and PostgreSQL on this machine."""

    kind: Literal["local"] = "local"
    port: Annotated[int, Field(ge=1, le=65535)] | None = None  # the entrance; None: a free one


class SecretSource(Strict):
    """Where a secret comes from: never a value."""

    env: str


class Check(Strict):
    """One smoke check. `{version}` in an expected value stands for the version under test."""

    path: Annotated[str, Field(pattern=r"^/\S*$")]
    method: Literal["GET", "POST", "PUT", "DELETE"] = "GET"
    body: dict[str, Any] | None = None  # sent as JSON
    status: Annotated[int, Field(ge=100, le=599)] = 200
    json_fields: dict[str, Any] = Field(default={}, alias="json")  # fields the answer must have
    max_ms: Annotated[float, Field(gt=0)] | None = None


class Smoke(Strict):
    checks: Annotated[tuple[Check, ...], Field(min_length=1)]
    repeat: Annotated[int, Field(ge=1, le=1000)] = 3  # rounds of all checks


class Identity(Strict):
    """How an answer tells which version gave it: a path and the JSON field that holds it."""

    path: Annotated[str, Field(pattern=r"^/\S*$")]
    field: str = "version"


class Migrations(Strict):
    """The service's own migrate command: over numbered SQL files in sqlx's layout, or any other."""

    command: Annotated[tuple[str, ...], Field(min_length=1)]
    directory: str | None = None  # in the artifact; None: only the command knows what is pending


class Contraction(Migrations):
    """Migrations that take away what only versions before the live one used, once they are gone."""

    automatic: bool = False  # by `cleanup`, where the gate finds nothing; else `gp contract`


class BackupRetention(Strict):
    """Which backups are kept; the newest one always is."""

    keep: Annotated[int, Field(ge=1, le=1000)] = 10  # the newest ones
    keep_days: Annotated[float, Field(gt=0, le=3650)] = 30  # and no older ones than that


class DatabaseSpec(Strict):
    url: Literal["embedded"] | SecretSource = "embedded"
    variable: str = "DATABASE_URL"  # the environment variable that the service reads it from
    lock_timeout_seconds: Seconds = 5  # of a migration; then it tries again, a few times
    statement_timeout_seconds: Seconds | None = None  # of a migration
    large_table_mb: Annotated[float, Field(gt=0)] = 100  # from which on a long lock is for people
    queries: str | None = None  # in the artifact: all that the version asks its database
    shadow: SecretSource | None = None  # a scratch server for shadows; None: one is started
    migrations: Migrations
    contract: Contraction | None = None  # of its live version, after its old slot is gone
    backups: BackupRetention = BackupRetention()


class Timeouts(Strict):
    """Seconds that each step may take before it counts as failed."""

    build: Seconds = 900
    backup: Seconds = 1800
    migrate: Seconds = 600
    deploy: Seconds = 120
    smoke: Seconds = 60
    switch: Seconds = 30
    drain: Seconds = 30
    restore: Seconds = 7200


class Alertmanager(Strict):
    """A Prometheus Alertmanager (API v2) that is asked for active alerts."""

    url: Annotated[str, Field(pattern=r"^https?://\S+$")]
    token: SecretSource | None = None  # sent as bearer


class Probe(Strict):
    """What the entrance itself shows of the live version, without any monitoring."""

    window_seconds: Annotated[float, Field(ge=1, le=600)] = 10
    minimum_requests: Annotated[int, Field(ge=1)] = 20  # in the window; fewer prove nothing
    error_ratio: Annotated[float, Field(gt=0, le=1)] = 0.05  # of 5xx in the window
    health_failures: Annotated[int, Field(ge=1)] = 3  # of `health` at the entrance, in a row


class Alerts(Strict):
    """Which alerts roll the live version back, and when they may not."""

    match: dict[str, str] = {"auto_rollback": "true"}  # labels that an alert must have
    attribution_seconds: Annotated[float, Field(ge=0)] = 60
    debounce_seconds: Annotated[float, Field(ge=0)] = 0
    dry_run: bool = False
    max_automatic_rollbacks: Annotated[int, Field(ge=0, le=50)] = 3  # in a day
    not_watched_after_seconds: Annotated[float, Field(ge=10)] = 60
    alertmanager: Alertmanager | None = None
    probe: Probe | None = None


class Service(Strict):
    """One service that is released. See docs/services-yaml.md for each field."""

    name: str = ""
    target: LocalTarget = LocalTarget()
    replicas: Annotated[int, Field(ge=1, le=100)] = 2
    artifact: WheelArtifact
    command: Annotated[tuple[str, ...], Field(min_length=1)]
    environment: dict[str, str] = {}
    secrets: dict[str, SecretSource] = {}
    health: Annotated[str, Field(pattern=r"^/\S*$")] = "/health"
    identity: Identity
    smoke: Smoke
    database: DatabaseSpec | None = None
    timeouts: Timeouts = Timeouts()
    retention_seconds: Annotated[float, Field(ge=0)] = 3600
    confirm_seconds: Annotated[float, Field(ge=1, le=3600)] = 30
    keep_failed_seconds: Annotated[float, Field(ge=0)] = 0
    bake_seconds: Annotated[float, Field(ge=0)] = 0
    promotion: Literal["auto", "manual"] = "auto"
    alerts: Alerts = Alerts()

    @field_validator("environment", mode="before")
    @classmethod
    def _numbers_are_text(cls, value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: str(item)
                if isinstance(item, int | float) and not isinstance(item, bool)
                else item
                for key, item in value.items()
            }
        return value

    @property
    def config_hash(self) -> str:
        """What of this definition decides how a version behaves; secrets by reference only."""
        what = {
            "command": self.command,
            "environment": self.environment,
            "secrets": {name: source.env for name, source in self.secrets.items()},
        }
        return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]


class _File(Strict):
    services: Annotated[dict[str, Service], Field(min_length=1)]

    @model_validator(mode="after")
    def _ports_differ(self) -> "_File":
        taken: dict[int, str] = {}
        for name, service in self.services.items():
            port = service.target.port
            if port is not None and port in taken:
                raise ValueError(
                    f"services.{name}.target.port: {port} is the port of {taken[port]} already"
                )
            if port is not None:
                taken[port] = name
        return self


class Services:
    """All services of one services.yaml.

    `path` is the file; relative paths in it are resolved against its directory.
    """

    def __init__(self, path: Path, services: dict[str, Service]) -> None:
        self.path = path
        self._services = services

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._services)

    def __getitem__(self, name: str) -> Service:
        """Raises `ConfigInvalid` for a name that the file does not have."""
        try:
            return self._services[name]
        except KeyError:
            raise ConfigInvalid(
                f"There is no service {name!r} in {self.path}.",
                state="Nothing was changed.",
                advice=f"Known services: {', '.join(self.names)}.",
            ) from None


def check_version(version: str) -> str:
    """`version`, if it is safe in a path, a tag and a file name; else `ConfigInvalid`."""
    if not VERSION.fullmatch(version) or ".." in version:
        raise ConfigInvalid(
            f"{version!r} is not a version.",
            state="Nothing was changed.",
            advice="A version starts with a letter or digit, has at most 64 characters, "
            "and consists of letters, digits, '.', '_', '+' and '-'.",
        )
    return version


def load_services(path: Path) -> Services:
    """Read and validate `path`. Raises `ConfigInvalid` naming each wrong field."""
    try:
        content = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        raise ConfigInvalid(
            f"{path} does not exist.",
            advice="Run from the project's directory, or name the file in GP_SERVICES.",
        ) from None
    except (OSError, yaml.YAMLError) as error:
        raise ConfigInvalid(f"{path} cannot be read: {error}") from None
    try:
        services = _File.model_validate(content).services
    except ValidationError as error:
        raise ConfigInvalid(_wrong_fields(path, error), state="No service was loaded.") from None
    named = {}
    for name, service in services.items():
        if not NAME.fullmatch(name):
            raise ConfigInvalid(
                f"{path}: services.{name}: a service's name consists of 2 to 42 lower-case "
                "letters, digits and '-', and starts with a letter."
            )
        if service.name:
            raise ConfigInvalid(
                f"{path}: services.{name}.name: the key above is the service's name; leave it out."
            )
        source = (path.parent / service.artifact.source).resolve()
        if not source.is_dir():
            raise ConfigInvalid(
                f"{path}: services.{name}.artifact.source: {source} is not a directory."
            )
        for version in service.artifact.versions:
            check_version(version)
        artifact = service.artifact.model_copy(update={"source": source})
        named[name] = service.model_copy(update={"name": name, "artifact": artifact})
    return Services(path.resolve(), named)


def _wrong_fields(path: Path, error: ValidationError) -> str:
    lines = [f"{path} is not valid:"]
    for problem in error.errors(include_url=False, include_input=False):
        where = ".".join(str(part) for part in problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        lines.append(f"  {where}: {message}" if where else f"  {message}")
    return "\n".join(lines)
