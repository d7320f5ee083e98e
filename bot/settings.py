"""The settings, read from the environment or `.env`: the only reader of either."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

APP_PAGE = "https://api.slack.com/apps → your app"
APP_TOKEN_PAGE = f"{APP_PAGE} → Basic Information → App-Level Tokens"

#: A host of an address and its port, if there is one; the host may be an IPv6 address, an encoded folder, or none.
PORT = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(:[0-9]*)?")

#: For those that no default can stand in for, where they are missing or wrong and one goes on all the same.
STAND_INS: dict[str, Any] = {
    "slack_bot_token": "xoxb-",
    "slack_app_token": "xapp-",
    "slack_signing_secret": "",
}


class SettingsError(Exception):
    """What is missing or wrong, all of it at once, for the person who runs the desk."""


class Settings(BaseSettings):
    """Names are a public contract: the README's table lists every one of them."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True)

    slack_bot_token: SecretStr = Field(description=f"{APP_PAGE} → OAuth & Permissions → Bot User OAuth Token")
    slack_app_token: SecretStr | None = Field(default=None, description=APP_TOKEN_PAGE)
    slack_signing_secret: SecretStr | None = Field(
        default=None,
        validate_default=True,
        description=f"{APP_PAGE} → Basic Information → Signing Secret; for Socket Mode set SLACK_APP_TOKEN instead, "
        f"{APP_TOKEN_PAGE}",
    )
    socket_connections: int = Field(default=2, ge=1, le=10)
    host: str = "127.0.0.1"
    port: int = Field(default=3000, ge=0, le=65535)
    triage_channel: str | None = Field(default=None, description="the private channel of your agents: its name or id")
    support_channels: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="the channels your customers write in: names or ids, separated by commas"
    )
    digest_channel: str | None = Field(default=None, description="where digests are posted: a channel's name or id")
    database_url: SecretStr | None = None
    data_dir: Path = Path(".data")
    slack_api_url: str = "https://slack.com/api/"
    reply_undo_seconds: float = Field(default=10, ge=0, le=600)
    group_seconds: float = Field(default=120, ge=0, le=86_400)
    reopen_days: float = Field(default=30, ge=0, le=3650)
    retention_days: float = Field(default=0, ge=0, le=36_500)
    rating_cooldown_days: float = Field(default=0, ge=0, le=3650)
    post_interval_seconds: float = Field(default=1.0, ge=0, le=60)
    slack_call_seconds: float = Field(default=8.0, ge=0.5, le=60)
    log_level: str = "INFO"

    @field_validator("support_channels", mode="before")
    @classmethod
    def _separated(cls, value: object) -> object:
        return tuple(_channel(one) for one in value.split(",") if one.strip()) if isinstance(value, str) else value

    @field_validator("triage_channel", "digest_channel")
    @classmethod
    def _without_hash(cls, value: str | None) -> str | None:
        return None if value is None else _channel(value)

    @field_validator("slack_bot_token")
    @classmethod
    def _a_bot_token(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith("xoxb-"):
            raise ValueError("is not a bot token: that begins with xoxb-")
        return value

    @field_validator("slack_app_token")
    @classmethod
    def _an_app_token(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith("xapp-"):
            raise ValueError("is not an app-level token: that begins with xapp-")
        return value

    @field_validator("slack_signing_secret")
    @classmethod
    def _one_way_in(cls, value: SecretStr | None, given: ValidationInfo) -> SecretStr | None:
        if value is None and given.data.get("slack_app_token", "wrong") is None:
            raise ValueError("is missing")
        return value

    @field_validator("database_url")
    @classmethod
    def _a_postgresql_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return value
        url = urlsplit(value.get_secret_value())
        if url.scheme not in {"postgresql", "postgres"}:
            raise ValueError("is no PostgreSQL URL: that begins with postgresql://")
        # A password with / or # in it would otherwise be taken for the port, and shown as a wrong one.
        if any(not PORT.fullmatch(host) for host in url.netloc.rpartition("@")[2].split(",")):
            raise ValueError("has no port where one should be: write / # ? @ in a password as %2F %23 %3F %40")
        return value

    @field_validator("retention_days")
    @classmethod
    def _longer_than_reopening(cls, value: float, given: ValidationInfo) -> float:
        # Until then a message opens the ticket again, and who works on it must be able to read what was said.
        reopen = given.data.get("reopen_days")
        if value and reopen is not None and value <= reopen:
            raise ValueError(f"must be more than REOPEN_DAYS, which is {reopen:g}, or 0 to keep everything")
        return value

    @field_validator("slack_api_url")
    @classmethod
    def _an_address(cls, value: str) -> str:
        if urlsplit(value).scheme not in {"http", "https"}:
            raise ValueError("is no address: that begins with https://")
        return value.rstrip("/") + "/"

    @field_validator("log_level")
    @classmethod
    def _a_level(cls, value: str) -> str:
        if value.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
            raise ValueError("is none of DEBUG, INFO, WARNING, ERROR")
        return value.upper()

    @property
    def retention(self) -> dt.timedelta | None:
        """None: everything is kept."""
        return dt.timedelta(days=self.retention_days) if self.retention_days else None

    @property
    def undo(self) -> dt.timedelta:
        return dt.timedelta(seconds=self.reply_undo_seconds)


def _channel(written: str) -> str:
    return written.strip().removeprefix("#")


def load() -> Settings:
    """The settings; SettingsError with everything that is missing or wrong and where each is found."""
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError(_explained(error)) from None


def inspect() -> tuple[Settings, dict[str, str]]:
    """The settings, and by name what is missing or wrong, in whose place something harmless stands."""
    try:
        return Settings(), {}
    except ValidationError as error:
        problems = _problems(error)
    harmless = {name: STAND_INS.get(name, Settings.model_fields[name].default) for name in problems}
    return Settings(**harmless), problems


def load_for_migration() -> tuple[SecretStr | None, Path]:
    """Only what `migrate` needs: the database's URL, and the folder of the embedded one."""

    class _Database(BaseSettings):
        model_config = Settings.model_config
        database_url: SecretStr | None = None
        data_dir: Path = Path(".data")

        _checked = field_validator("database_url")(Settings._a_postgresql_url.__func__)  # type: ignore[attr-defined]

    try:
        found = _Database()
    except ValidationError as error:
        raise SettingsError(_explained(error)) from None
    return found.database_url, found.data_dir


def _explained(error: ValidationError) -> str:
    lines = [f"  {name.upper()} {problem}" for name, problem in _problems(error).items()]
    return "\n".join(["These settings are missing or wrong; set them in the environment or in .env:", *lines])


def _problems(error: ValidationError) -> dict[str, str]:
    """By setting, what is wrong and where the right one is found."""
    problems = {}
    for problem in error.errors():
        name = str(problem["loc"][0])
        field = Settings.model_fields[name]
        found = f" ({field.description})" if field.description else ""
        problems[name] = f"{_problem(problem, field)}{found}"
    return problems


def _problem(problem: ErrorDetails, field: FieldInfo) -> str:
    if problem["type"] == "value_error":
        return problem["msg"].removeprefix("Value error, ")
    limits = {name: getattr(one, name) for one in field.metadata for name in ("ge", "le") if hasattr(one, name)}
    if len(limits) == 2:
        kind = "whole number" if field.annotation is int else "number"
        return f"must be a {kind} from {limits['ge']} to {limits['le']}"
    return "is missing"
