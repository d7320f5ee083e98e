"""`python -m bot doctor`: what keeps a desk from working, and what to do about it. Looks only; changes nothing."""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from email.utils import parsedate_to_datetime
from typing import Literal

from slack_sdk.web.async_client import AsyncWebClient

from bot import settings as environment
from bot.app import StartError, open_database
from bot.delivery import directory
from bot.delivery.slack import RateLimited, SlackRefused, Unclear, ask, introduce, patient_client
from bot.metrics import Metrics
from bot.settings import Settings
from bot.tickets.places import Found, unfit_for_triage
from storage import examination
from storage.embedded import EmbeddedPostgres
from storage.engine import DatabaseAway
from storage.examination import Examined, SetUp

Level = Literal["ok", "warning", "problem", "skipped"]

#: The scopes of manifest.yml, which does not lie beside an installed program.
SCOPES = frozenset(
    {
        "app_mentions:read",
        "channels:history",
        "channels:read",
        "chat:write",
        "chat:write.customize",
        "commands",
        "files:read",
        "files:write",
        "groups:history",
        "groups:read",
        "im:history",
        "im:write",
        "reactions:read",
        "team:read",
        "users:read",
        "users:read.email",
    }
)
#: Seconds. Slack signs the time, and what is older than five minutes must not be believed:
#: https://docs.slack.dev/authentication/verifying-requests-from-slack
CLOCK_OFF = 30
CLOCK_WRONG = 300
SET_THE_CLOCK = "Let NTP set this machine's clock (timedatectl set-ntp true)."
#: https://docs.slack.dev/authentication/verifying-requests-from-slack
SIGNING_SECRET = re.compile("[0-9a-f]{32}")
COPY_IT = "Copy the Bot User OAuth Token from the app's page OAuth & Permissions; where there is none, install the app."
SIGNS = {"ok": "✓", "warning": "!", "problem": "✗", "skipped": "–"}


@dataclass(frozen=True, slots=True)
class Finding:
    """`about`: what was looked at. `do`: what to do about it."""

    about: str
    level: Level
    says: str
    do: str | None = None


async def examine() -> list[Finding]:
    settings, problems = environment.inspect()
    found = _settings(problems)
    if settings.slack_app_token is None and "slack_signing_secret" not in problems:
        found.append(_signing_secret(settings))
    of_database, channels = await _database(settings, problems)
    found += await _slack(settings, problems, channels)
    return found + of_database


def report(found: Iterable[Finding], *, as_json: bool) -> str:
    if as_json:
        whole = {"ok": is_well(found), "checks": [asdict(one) for one in found]}
        return json.dumps(whole, indent=2, ensure_ascii=False)
    lines = []
    for one in found:
        lines.append(f"{SIGNS[one.level]} {one.about}: {one.says}")
        if one.do:
            lines.append(f"  → {one.do}")
    return "\n".join(lines)


def is_well(found: Iterable[Finding]) -> bool:
    return all(one.level != "problem" for one in found)


def _settings(problems: Mapping[str, str]) -> list[Finding]:
    if not problems:
        return [Finding("settings", "ok", "all that are needed are there and well-formed")]
    do = "Set it in the environment or in .env; the README's table says what each is."
    return [Finding("settings", "problem", f"{name.upper()} {problem}", do) for name, problem in problems.items()]


def _signing_secret(settings: Settings) -> Finding:
    secret = settings.slack_signing_secret
    if secret and SIGNING_SECRET.fullmatch(secret.get_secret_value()):
        says = "SLACK_SIGNING_SECRET looks like one; only a request from Slack can show that it is this app's"
        return Finding("signing secret", "ok", says)
    return Finding(
        "signing secret",
        "problem",
        "SLACK_SIGNING_SECRET is none: it has 32 characters of 0-9 and a-f",
        "Copy the Signing Secret from the app's page Basic Information, not the Client Secret.",
    )


async def _slack(settings: Settings, problems: Mapping[str, str], channels: Sequence[SetUp]) -> list[Finding]:
    if {"slack_bot_token", "slack_api_url"} & problems.keys():
        return [Finding("Slack", "skipped", "not asked: there is no token to ask with")]
    slack = patient_client(settings.slack_bot_token.get_secret_value(), settings.slack_api_url, Metrics())
    found: list[Finding] = []
    try:
        began = time.time()
        me, headers = await introduce(slack)
        found += _clock(headers, (began + time.time()) / 2)
        if isinstance(me, SlackRefused):
            return [*found, _token_refused(me.error), Finding("channels", "skipped", "not looked at: see token")]
        found += [_token(me), _scopes(headers)]
        if settings.slack_app_token and "slack_app_token" not in problems:
            found.append(await _app_token(settings))
        found += [one async for one in _channels(slack, _wanted(settings, problems, channels), str(me["team_id"]))]
    except SlackRefused as refused:
        do = "Put right what is said of the scopes, then look again." if refused.error == "missing_scope" else None
        found.append(Finding("channels", "problem", f"Slack refuses to show them ({refused.error})", do))
    except (Unclear, RateLimited) as error:
        says = f"cannot be reached at {settings.slack_api_url}: {error}"
        found.append(Finding("Slack", "problem", says, "Let this machine make HTTPS connections to that address."))
    return found


def _clock(headers: Mapping[str, str], now: float) -> list[Finding]:
    """The `Date` of an answer says what time it is for Slack, to the second."""
    if "Date" not in headers:
        return []
    return [_off("clock", parsedate_to_datetime(headers["Date"]).timestamp() - now, "Slack's")]


def _off(about: str, ahead: float, whose: str) -> Finding:
    off = abs(ahead)
    if off < CLOCK_OFF:
        return Finding(about, "ok", f"this machine's agrees with {whose}")
    says = f"this machine's is {off:.0f} s {'behind' if ahead > 0 else 'ahead of'} {whose}"
    if off < CLOCK_WRONG:
        return Finding(about, "warning", says, SET_THE_CLOCK)
    return Finding(about, "problem", says, SET_THE_CLOCK)


def _token(me: Mapping[str, object]) -> Finding:
    if not me.get("bot_id"):
        return Finding("token", "problem", "SLACK_BOT_TOKEN is a person's, not an app's", COPY_IT)
    return Finding("token", "ok", f"Slack takes it; the desk is @{me['user']} in {me['team']}")


def _token_refused(error: str) -> Finding:
    return Finding("token", "problem", f"Slack does not accept SLACK_BOT_TOKEN ({error})", COPY_IT)


def _scopes(headers: Mapping[str, str]) -> Finding:
    if "x-oauth-scopes" not in headers:
        return Finding("scopes", "skipped", "Slack does not say which the app has")
    granted = {one.strip() for one in headers["x-oauth-scopes"].split(",")}
    if missing := sorted(SCOPES - granted):
        return Finding(
            "scopes",
            "problem",
            f"the app lacks {', '.join(missing)}",
            "Put manifest.yml into the app's page App Manifest, then install the app again on Install App.",
        )
    return Finding("scopes", "ok", "the app has all that the desk needs")


async def _app_token(settings: Settings) -> Finding:
    """Asks for the address of a WebSocket, and does not connect to it."""
    assert settings.slack_app_token is not None
    slack = patient_client(settings.slack_app_token.get_secret_value(), settings.slack_api_url, Metrics())
    try:
        await ask(slack, "apps.connections.open")
    except SlackRefused as refused:
        match refused.error:
            case "missing_scope":
                do = "Make another App-Level Token, with connections:write, on the app's page Basic Information."
            case "socket_mode_not_enabled":
                do = "Switch Socket Mode on, on the app's page of that name; or leave SLACK_APP_TOKEN out."
            case _:
                do = "Copy the App-Level Token from the app's page Basic Information, and see that Socket Mode is on."
        says = f"Slack does not let SLACK_APP_TOKEN open Socket Mode ({refused.error})"
        return Finding("Socket Mode", "problem", says, do)
    return Finding("Socket Mode", "ok", "Slack lets the desk connect")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A channel to look at, under a name or id, with its role. `setting`: where it is named; None: in the tables."""

    about: str
    name: str
    role: Literal["support", "triage", "digest"]
    setting: str | None

    @property
    def another(self) -> str:
        return f"Set {self.setting} to another channel." if self.setting else "Set up another by /ticket setup."


def _wanted(settings: Settings, problems: Mapping[str, str], channels: Sequence[SetUp]) -> list[Wanted]:
    """The channels that are set up, and those in the settings that a desk would set up when it starts."""
    wanted = [Wanted(f"{one.role} channel {one.name}", one.id, one.role, None) for one in channels]
    known = {one.id for one in channels} | {one.name for one in channels}
    if settings.triage_channel and settings.triage_channel not in known and "triage_channel" not in problems:
        wanted.append(_of_setting("TRIAGE_CHANNEL", settings.triage_channel, "triage"))
    if "support_channels" not in problems:
        wanted += [
            _of_setting("SUPPORT_CHANNELS", name, "support") for name in settings.support_channels if name not in known
        ]
    if settings.digest_channel and "digest_channel" not in problems:
        wanted.append(_of_setting("DIGEST_CHANNEL", settings.digest_channel, "digest"))
    return wanted


def _of_setting(setting: str, name: str, role: Literal["support", "triage", "digest"]) -> Wanted:
    return Wanted(f"{setting} {name}", name, role, setting)


async def _channels(slack: AsyncWebClient, wanted: Sequence[Wanted], team_id: str) -> AsyncIterator[Finding]:
    found = await directory.find_channels(slack, {one.name for one in wanted}, archived=True)
    triage = {found[one.name].id for one in wanted if one.role == "triage" and one.name in found}
    support = {found[one.name].id for one in wanted if one.role == "support" and one.name in found}
    for one in wanted:
        channel = found.get(one.name)
        if wrong := _wrong(one, channel, triage, support):
            says, do = wrong
            yield Finding(one.about, "problem", says, do)
            continue
        assert channel is not None
        yield Finding(one.about, "ok", f"the desk is in #{channel.name}, and it is fit for that")
        if one.role == "triage":
            yield await _agents(slack, channel, team_id)
    if not any(one.role == "triage" for one in wanted):
        do = "Invite the desk to your agents' private channel; an admin of the workspace types /ticket setup there."
        yield Finding("channels", "warning", "there is no triage channel yet, so no ticket is shown to anybody", do)


def _wrong(
    wanted: Wanted, channel: Found | None, triage: Collection[str], support: Collection[str]
) -> tuple[str, str] | None:
    """What is wrong with a channel in its role, and what to do. `triage`, `support`: the ids of those channels."""
    wrong = None
    if channel is None:
        says = "Slack shows the desk no such channel: there is none, or it is private and the desk is not in it"
        correct = f"correct {wanted.setting}." if wanted.setting else "set up another by /ticket setup."
        wrong = says, f"Write /invite @desk in it; or {correct}"
    elif channel.archived:
        wrong = f"#{channel.name} is archived", f"Unarchive it in Slack. Or: {wanted.another}"
    elif not channel.member:
        wrong = f"the desk is not in #{channel.name}", "Write /invite @desk in it."
    elif wanted.role == "support":
        if channel.id in triage:
            wrong = f"#{channel.name} is the triage channel too", wanted.another
    elif channel.shared:
        what = "notes" if wanted.role == "triage" else "digests, which quote customers"
        wrong = f"#{channel.name} is shared with another company, which would read {what}", wanted.another
    elif wanted.role == "digest" and channel.id in support:
        says = f"customers write in #{channel.name}, who would read digests, which quote others"
        wrong = says, wanted.another
    elif wanted.role == "triage" and unfit_for_triage(channel):
        says = f"#{channel.name} is public, and notes would be read by others"
        wrong = says, f"Make it private. Or: {wanted.another}"
    return wrong


async def _agents(slack: AsyncWebClient, triage: Found, team_id: str) -> Finding:
    async for member in directory.pages(slack, "conversations.members", "members", channel=triage.id):
        user = (await ask(slack, "users.info", user=str(member)))["user"]
        if directory.profile_of(user, team_id).kind == "member":
            return Finding("agents", "ok", f"there is at least one in #{triage.name}")
    return Finding(
        "agents",
        "problem",
        f"nobody in #{triage.name} is one: agents are full members of your workspace, no guests",
        "Invite your agents to that channel.",
    )


async def _database(settings: Settings, problems: Mapping[str, str]) -> tuple[list[Finding], Sequence[SetUp]]:
    """What is to be said of the database, and the channels that are set up there."""
    if {"database_url", "data_dir"} & problems.keys():
        return [Finding("database", "skipped", "not asked: see settings")], ()
    folder = EmbeddedPostgres(settings.data_dir)
    if settings.database_url is None and not folder.exists():
        says = f"the embedded PostgreSQL in {settings.data_dir} is not there yet"
        return [Finding("database", "warning", says, "Start the desk (make run), which makes it.")], ()
    url = settings.database_url.get_secret_value() if settings.database_url else None
    try:
        async with open_database(url, folder) as database:
            seen = await examination.examine(database)
            return _examined(seen), seen.channels
    except StartError as error:
        return [Finding("database", "problem", str(error))], ()
    except DatabaseAway as error:
        match examination.what_is_missing(error):
            case "login":
                do = "Correct user and password in DATABASE_URL, or make the role (README, Operate it)."
            case "database":
                do = "Correct the name in DATABASE_URL, or make the database (README, Operate it)."
            case "certificate":
                do = (
                    "Let sslrootcert in DATABASE_URL name the file with the certificate of who has signed the server's."
                )
            case "server":
                do = "Start PostgreSQL, or correct host and port in DATABASE_URL."
        return [Finding("database", "problem", f"it cannot be reached: {error}", do)], ()


def _examined(seen: Examined) -> list[Finding]:
    found = [Finding("database", "ok", f"it answers: PostgreSQL {seen.version}")]
    if seen.old:
        found = [Finding("database", "problem", f"PostgreSQL {seen.version} is too old", "Use PostgreSQL 14 or newer.")]
    if seen.pooled_by_transaction:
        found.append(
            Finding(
                "pooler",
                "problem",
                "a transaction pooler stands before the database: prepared statements and LISTEN fail there",
                "Let DATABASE_URL name the database itself, or the pooler's port for session mode.",
            )
        )
    else:
        found.append(Finding("pooler", "ok", "each connection keeps its session"))
    found += [_rights(seen), _tables(seen), _off("database clock", seen.clock, "the database's")]
    return found


def _rights(seen: Examined) -> Finding:
    if seen.forbidden:
        first, more = seen.forbidden[0], len(seen.forbidden) - 1
        says = f"the role may not {first}" + (f", and {more} more" if more else "")
        do = "Use the role that owns the tables, or grant it that: python -m bot roles prints the SQL."
        return Finding("rights", "problem", says, do)
    if seen.unseen:
        says = f"row-level security hides rows of {', '.join(seen.unseen)} from the role"
        do = "Give it policies: python -m bot roles prints them. README, On an existing database."
        return Finding("rights", "problem", says, do)
    return Finding("rights", "ok", "the role may do what is needed")


def _tables(seen: Examined) -> Finding:
    migrate = "python -m bot migrate. The desk does that itself when it starts without --no-migrate."
    if seen.hidden:
        return Finding("tables", "skipped", "not looked at: see rights")
    if seen.ahead:
        says = f"the tables are at version {seen.tables}, which is newer than this desk ({seen.latest})"
        return Finding(
            "tables", "problem", says, "Run the newer version of the desk, or restore the backup from before."
        )
    if seen.tables is None:
        return Finding("tables", "problem", "the desk's tables are not there", migrate)
    if seen.tables != seen.latest:
        says = f"the tables are at version {seen.tables}, and this desk needs {seen.latest}"
        return Finding("tables", "problem", says, migrate)
    return Finding("tables", "ok", f"they are at version {seen.tables}")
