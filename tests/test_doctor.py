"""`python -m bot doctor` names what is wrong with a set-up, and what to do about it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

import asyncpg
import pytest

from bot import app, doctor
from bot.app import StartError
from bot.doctor import Finding
from bot.settings import Settings
from storage.embedded import EmbeddedPostgres
from tests.conftest import World
from tests.test_app import environment, finished, free_port
from tests.test_manifest_schema import MANIFEST

SERVER_GONE = f"postgresql://desk:hidden@127.0.0.1:{free_port()}/desk"


async def examined(monkeypatch: pytest.MonkeyPatch, folder: Path, settings: Mapping[str, str]) -> list[Finding]:
    """What the doctor finds with these settings in the environment, and no .env file."""
    monkeypatch.chdir(folder)
    for name in environment_names():
        monkeypatch.delenv(name, raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return await doctor.examine()


def environment_names() -> list[str]:
    return [name.upper() for name in Settings.model_fields]


def wrong(found: list[Finding]) -> list[Finding]:
    return [one for one in found if one.level in {"problem", "warning"}]


async def test_of_a_sound_set_up_everything_is_well(world: World, database_url: str, tmp_path: Path) -> None:
    settings = environment(world, database_url, DIGEST_CHANNEL="triage")
    status, output, errors = await finished(tmp_path, "doctor", **settings)
    assert (status, errors) == (0, ""), output
    assert [line.partition(":")[0] for line in output.splitlines()] == [
        "✓ settings",
        "✓ signing secret",
        "✓ clock",
        "✓ token",
        "✓ scopes",
        "✓ TRIAGE_CHANNEL triage",
        "✓ agents",
        "✓ SUPPORT_CHANNELS help-globex",
        "✓ DIGEST_CHANNEL triage",
        "✓ database",
        "✓ pooler",
        "✓ rights",
        "✓ tables",
        "✓ database clock",
    ]
    looked = {"auth.test", "conversations.info", "conversations.list", "conversations.members", "users.info"}
    assert {call.method for call in world.sandbox.calls} == looked


Break = Callable[[World, asyncpg.Connection], Awaitable[dict[str, str] | None]]


async def revoked(world: World, sql: asyncpg.Connection) -> None:
    world.sandbox.revoke_token()


async def other_token(world: World, sql: asyncpg.Connection) -> dict[str, str]:
    return {"SLACK_BOT_TOKEN": "xoxb-of-another-app"}


async def user_token(world: World, sql: asyncpg.Connection) -> dict[str, str]:
    return {"SLACK_BOT_TOKEN": "xoxp-of-a-person"}


async def scope_missing(world: World, sql: asyncpg.Connection) -> None:
    world.sandbox.withdraw_scope("files:read")


async def scope_of_channels_missing(world: World, sql: asyncpg.Connection) -> None:
    world.sandbox.withdraw_scope("channels:read")
    world.sandbox.withdraw_scope("groups:read")


async def app_token_wrong(world: World, sql: asyncpg.Connection) -> dict[str, str]:
    return {"SLACK_APP_TOKEN": "xoxb-of-another-app", "SLACK_SIGNING_SECRET": ""}


async def client_secret(world: World, sql: asyncpg.Connection) -> dict[str, str]:
    return {"SLACK_SIGNING_SECRET": "xapp-something-else"}


async def slack_out_of_reach(world: World, sql: asyncpg.Connection) -> dict[str, str]:
    return {"SLACK_API_URL": f"http://127.0.0.1:{free_port()}/api/"}


async def triage_public(world: World, sql: asyncpg.Connection) -> None:
    world.triage.kind = "channel"


async def triage_shared(world: World, sql: asyncpg.Connection) -> None:
    world.sandbox.share(world.triage, world.ada.team)


async def triage_left(world: World, sql: asyncpg.Connection) -> None:
    await world.sandbox.kick(world.triage, world.sandbox.bot)


async def support_unknown(world: World, sql: asyncpg.Connection) -> dict[str, str]:
    return {"SUPPORT_CHANNELS": "help-globex, help-nobody"}


async def support_left(world: World, sql: asyncpg.Connection) -> None:
    await world.sandbox.kick(world.help, world.sandbox.bot)


async def support_archived(world: World, sql: asyncpg.Connection) -> None:
    world.sandbox.archive(world.help)


async def support_is_triage(world: World, sql: asyncpg.Connection) -> dict[str, str]:
    return {"SUPPORT_CHANNELS": "help-globex,triage"}


async def digest_shared(world: World, sql: asyncpg.Connection) -> dict[str, str]:
    return {"DIGEST_CHANNEL": "help-globex"}


async def digest_for_customers(world: World, sql: asyncpg.Connection) -> dict[str, str]:
    await world.sandbox.add_channel("lobby", members=[world.ben, world.sandbox.bot])
    return {"SUPPORT_CHANNELS": "help-globex,lobby", "DIGEST_CHANNEL": "lobby"}


async def digest_where_customers_write_by_now(world: World, sql: asyncpg.Connection) -> dict[str, str]:
    """Its role was given in Slack; the settings name it for digests alone."""
    lobby = await world.sandbox.add_channel("lobby", members=[world.ben, world.sandbox.bot])
    await set_up_in_slack(world, sql, lobby.id)
    return {"SUPPORT_CHANNELS": "", "TRIAGE_CHANNEL": "", "DIGEST_CHANNEL": "lobby"}


async def set_up_in_slack(world: World, sql: asyncpg.Connection, support: str) -> None:
    for channel, role, to in ((world.triage.id, "triage", None), (support, "support", world.triage.id)):
        await sql.execute(
            "insert into threadesk.channels (id, name, role, triage_channel, chosen_at) values ($1, $1, $2, $3, now())",
            *(channel, role, to),
        )


async def digests_at_set_times_shared(world: World, sql: asyncpg.Connection) -> dict[str, str]:
    await set_up_in_slack(world, sql, world.help.id)
    await sql.execute(
        "insert into threadesk.digest_schedules (triage_channel, channel, cron, zone, period, taken_to)"
        " values ($1, $2, '0 9 * * *', 'UTC', 'today', now())",
        *(world.triage.id, world.help.id),
    )
    return {"SUPPORT_CHANNELS": "", "TRIAGE_CHANNEL": ""}


async def no_agents(world: World, sql: asyncpg.Connection) -> None:
    world.grace.guest = True
    await world.sandbox.kick(world.triage, world.linus)


async def slow_clock(world: World, sql: asyncpg.Connection) -> None:
    world.sandbox.set_clock_ahead(400)


async def database_down(world: World, sql: asyncpg.Connection) -> dict[str, str]:
    return {"DATABASE_URL": SERVER_GONE}


async def database_unknown(world: World, sql: asyncpg.Connection) -> dict[str, str]:
    return {"DATABASE_URL": (await url_of(sql)).replace("/test_", "/no_such_")}


async def role_unknown(world: World, sql: asyncpg.Connection) -> dict[str, str]:
    return {"DATABASE_URL": (await url_of(sql)).replace("postgres@", "nobody:hidden@")}


async def not_postgresql(world: World, sql: asyncpg.Connection) -> dict[str, str]:
    return {"DATABASE_URL": "mysql://desk:hidden@localhost/desk"}


async def tables_behind(world: World, sql: asyncpg.Connection) -> None:
    await sql.execute("update threadesk.alembic_version set version_num = '0001'")


async def tables_ahead(world: World, sql: asyncpg.Connection) -> None:
    await sql.execute("update threadesk.alembic_version set version_num = '9999'")


async def tables_missing(world: World, sql: asyncpg.Connection) -> None:
    await sql.execute("drop table threadesk.alembic_version")


async def rights_missing(world: World, sql: asyncpg.Connection) -> dict[str, str]:
    await sql.execute("drop role if exists visitor")
    await sql.execute("create role visitor login")
    await sql.execute("grant usage on schema public, threadesk to visitor")
    return {"DATABASE_URL": (await url_of(sql)).replace("postgres@", "visitor@")}


async def rows_hidden(world: World, sql: asyncpg.Connection) -> dict[str, str]:
    await sql.execute("drop role if exists viewer")
    await sql.execute("create role viewer login")
    await sql.execute(
        "grant usage on schema public, threadesk to viewer;"
        " grant select, insert, update, delete on all tables in schema public, threadesk to viewer;"
        " grant usage on all sequences in schema threadesk to viewer;"
        " grant execute on all functions in schema threadesk to viewer"
    )
    return {"DATABASE_URL": (await url_of(sql)).replace("postgres@", "viewer@")}


async def url_of(sql: asyncpg.Connection) -> str:
    name = await sql.fetchval("select current_database()")
    host = await sql.fetchval("select current_setting('unix_socket_directories')")
    return f"postgresql://postgres@/{name}?host={host}&port=5432"


BROKEN: list[tuple[Break, str, str, str]] = [
    (revoked, "token", "Slack does not accept SLACK_BOT_TOKEN (token_revoked)", "Copy the Bot User OAuth Token"),
    (other_token, "token", "Slack does not accept SLACK_BOT_TOKEN (invalid_auth)", "Copy the Bot User OAuth Token"),
    (user_token, "settings", "SLACK_BOT_TOKEN is not a bot token: that begins with xoxb-", "Set it in the environment"),
    (app_token_wrong, "settings", "SLACK_APP_TOKEN is not an app-level token", "Set it in the environment"),
    (scope_missing, "scopes", "the app lacks files:read", "Put manifest.yml into"),
    (scope_of_channels_missing, "scopes", "the app lacks channels:read, groups:read", "Put manifest.yml into"),
    (client_secret, "signing secret", "SLACK_SIGNING_SECRET is none", "Copy the Signing Secret"),
    (slack_out_of_reach, "Slack", "cannot be reached at http://127.0.0.1:", "Let this machine make HTTPS connections"),
    (triage_public, "TRIAGE_CHANNEL triage", "#triage is public, and notes would be read", "Make it private."),
    (triage_shared, "TRIAGE_CHANNEL triage", "#triage is shared with another company", "Set TRIAGE_CHANNEL to another"),
    (triage_left, "TRIAGE_CHANNEL triage", "Slack shows the desk no such channel", "Write /invite @desk in it"),
    (support_unknown, "SUPPORT_CHANNELS help-nobody", "Slack shows the desk no such", "or correct SUPPORT_CHANNELS"),
    (support_left, "SUPPORT_CHANNELS help-globex", "the desk is not in #help-globex", "Write /invite @desk in it."),
    (support_archived, "SUPPORT_CHANNELS help-globex", "#help-globex is archived", "Unarchive it in Slack."),
    (
        support_is_triage,
        "SUPPORT_CHANNELS triage",
        "#triage is the triage channel too",
        "Set SUPPORT_CHANNELS to another",
    ),
    (
        digest_shared,
        "DIGEST_CHANNEL help-globex",
        "#help-globex is shared with another",
        "Set DIGEST_CHANNEL to another",
    ),
    (digest_for_customers, "DIGEST_CHANNEL lobby", "customers write in #lobby", "Set DIGEST_CHANNEL to another"),
    (digest_where_customers_write_by_now, "DIGEST_CHANNEL lobby", "customers write in #lobby", "Set DIGEST_CHANNEL to"),
    (digests_at_set_times_shared, "digest channel {help}", "#help-globex is shared with another", "by /ticket setup"),
    (no_agents, "agents", "nobody in #triage is one", "Invite your agents to that channel."),
    (slow_clock, "clock", "s behind Slack's", "Let NTP set this machine's clock"),
    (database_down, "database", "it cannot be reached: ", "Start PostgreSQL, or correct host and port"),
    (database_unknown, "database", "it cannot be reached: ", "Correct the name in DATABASE_URL"),
    (role_unknown, "database", "it cannot be reached: ", "Correct user and password in DATABASE_URL"),
    (not_postgresql, "settings", "DATABASE_URL is no PostgreSQL URL", "Set it in the environment"),
    (tables_behind, "tables", "the tables are at version 0001, and this desk needs", "python -m bot migrate"),
    (tables_ahead, "tables", "the tables are at version 9999, which is newer than this desk", "Run the newer version"),
    (tables_missing, "tables", "the desk's tables are not there", "python -m bot migrate"),
    (rights_missing, "rights", "the role may not ", "Use the role that owns the tables"),
    (
        rows_hidden,
        "rights",
        "row-level security hides rows of public.customers, public.tickets from the role",
        "Give it policies: python -m bot roles prints them.",
    ),
]


@pytest.mark.parametrize(("breaks", "about", "says", "do"), BROKEN, ids=[one[0].__name__ for one in BROKEN])
async def test_each_broken_set_up_is_named_with_what_to_do(
    world: World,
    database_url: str,
    sql: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    breaks: Break,
    about: str,
    says: str,
    do: str,
) -> None:
    about = about.format(help=world.help.id)
    changes = await breaks(world, sql) or {}
    found = await examined(monkeypatch, tmp_path, environment(world, database_url, **changes))
    named = [one for one in wrong(found) if one.about == about]
    assert len(named) == 1, found
    assert says in named[0].says
    assert do in (named[0].do or "")
    assert not doctor.is_well(found)
    told = doctor.report(found, as_json=False)
    assert f"✗ {about}: {named[0].says}\n  → {named[0].do}" in told
    hidden = [world.sandbox.bot_token, world.sandbox.signing_secret, "hidden", "xoxp-of", "xoxb-of"]
    assert not [secret for secret in hidden if secret in told]
    others = [one for one in wrong(found) if one is not named[0]]
    assert not others or breaks is scope_of_channels_missing, others


async def test_all_that_can_be_looked_at_is_looked_at_when_much_is_wrong(
    world: World, database_url: str, sql: asyncpg.Connection, tmp_path: Path
) -> None:
    """As a process of its own: every problem at once, and exit status 1."""
    await tables_behind(world, sql)
    world.sandbox.set_clock_ahead(-3600)
    world.sandbox.withdraw_scope("team:read")
    settings = environment(world, database_url, TRIAGE_CHANNEL="nowhere", PORT="http")
    del settings["SUPPORT_CHANNELS"], settings["SLACK_SIGNING_SECRET"]
    status, output, errors = await finished(tmp_path, "doctor", "--json", **settings)
    assert (status, errors) == (1, "")
    told = json.loads(output)
    assert told["ok"] is False
    problems = [(one["about"], one["says"].split()[0]) for one in told["checks"] if one["level"] == "problem"]
    assert problems == [
        ("settings", "SLACK_SIGNING_SECRET"),
        ("settings", "PORT"),
        ("clock", "this"),
        ("scopes", "the"),
        ("TRIAGE_CHANNEL nowhere", "Slack"),
        ("tables", "the"),
    ]
    assert all(one["do"] for one in told["checks"] if one["level"] == "problem")


async def test_the_channels_that_are_set_up_are_looked_at_whatever_the_settings_say(
    world: World,
    database_url: str,
    sql: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    async with app.running(world.settings(database_url), migrating=False):
        pass
    lunch = await world.sandbox.add_channel("lunch", members=[world.grace, world.sandbox.bot])
    await sql.execute("insert into threadesk.channels (id, name, role) values ($1, 'lunch', 'none')", lunch.id)
    settings = environment(world, database_url, SUPPORT_CHANNELS="help-globex,help-nobody")
    del settings["TRIAGE_CHANNEL"]
    world.triage.kind = "channel"
    await world.sandbox.kick(world.help, world.sandbox.bot)
    found = await examined(monkeypatch, tmp_path, settings)
    assert [(one.about, one.says, one.do) for one in wrong(found)] == [
        (
            "triage channel triage",
            "#triage is public, and notes would be read by others",
            "Make it private. Or: Set up another by /ticket setup.",
        ),
        ("support channel help-globex", "the desk is not in #help-globex", "Write /invite @desk in it."),
        (
            "SUPPORT_CHANNELS help-nobody",
            "Slack shows the desk no such channel: there is none, or it is private and the desk is not in it",
            "Write /invite @desk in it; or correct SUPPORT_CHANNELS.",
        ),
    ]


async def test_a_desk_that_is_not_set_up_yet_is_told_how_to_begin(
    world: World, database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = environment(world, database_url)
    del settings["TRIAGE_CHANNEL"], settings["SUPPORT_CHANNELS"]
    (only,) = wrong(await examined(monkeypatch, tmp_path, settings))
    assert (only.about, only.level) == ("channels", "warning")
    assert "an admin of the workspace types /ticket setup there" in (only.do or "")


async def test_a_database_that_is_down_is_an_exit_status(world: World, tmp_path: Path) -> None:
    status, output, errors = await finished(tmp_path, "doctor", **environment(world, SERVER_GONE))
    assert (status, errors) == (1, "")
    assert "✗ database: it cannot be reached: " in output
    assert "hidden" not in output


async def test_a_clock_that_is_off_by_a_minute_is_a_warning(
    world: World, database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world.sandbox.set_clock_ahead(-60)
    found = await examined(monkeypatch, tmp_path, environment(world, database_url))
    (off,) = wrong(found)
    assert (off.about, off.level) == ("clock", "warning")
    assert re.fullmatch(r"this machine's is (59|60|61) s ahead of Slack's", off.says)
    assert doctor.is_well(found)


async def test_socket_mode_that_is_off_is_said(
    world: World, database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = environment(world, database_url, SLACK_APP_TOKEN=world.sandbox.app_token)
    del settings["SLACK_SIGNING_SECRET"]
    (off,) = wrong(await examined(monkeypatch, tmp_path, settings))
    assert off.about == "Socket Mode"
    assert "socket_mode_not_enabled" in off.says
    assert "Switch Socket Mode on" in (off.do or "")
    world.sandbox.deliver_over_sockets()
    found = await examined(monkeypatch, tmp_path, settings)
    assert not wrong(found)
    assert Finding("Socket Mode", "ok", "Slack lets the desk connect") in found


async def test_an_embedded_postgresql_is_started_for_the_look_and_stopped_again(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "kept"
    settings = environment(world, None, DATA_DIR=str(folder))
    (absent,) = wrong(await examined(monkeypatch, tmp_path, settings))
    assert (absent.about, absent.level) == ("database", "warning")
    assert not folder.exists()

    with EmbeddedPostgres(folder):
        pass
    (tables,) = wrong(await examined(monkeypatch, tmp_path, settings))
    assert tables.says == "the desk's tables are not there"
    location = folder / "postgres.location"
    home = Path(location.read_text().strip()) if location.exists() else folder / "postgres"
    assert not (home / "data" / "postmaster.pid").exists()
    EmbeddedPostgres(folder).remove()


def test_the_doctor_knows_the_scopes_of_the_manifest() -> None:
    assert sorted(doctor.SCOPES) == MANIFEST["oauth_config"]["scopes"]["bot"]


class Pooler:
    """A pooler in transaction mode before PostgreSQL, as PgBouncer is: a client has a session of the server's for a
    transaction, and the one that was used last is used next.

    https://www.postgresql.org/docs/current/protocol-message-formats.html
    """

    def __init__(self, socket_file: str) -> None:
        self._socket_file = socket_file
        self._free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._all: list[asyncio.StreamWriter] = []
        self.port = 0

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[Pooler]:
        async with await asyncio.start_server(self._serve, "127.0.0.1", 0) as server:
            self.port = server.sockets[0].getsockname()[1]
            yield self
        for writer in self._all:
            writer.close()
            await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs = await asyncio.open_unix_connection(self._socket_file)
        self._all.append(theirs[1])
        theirs[1].write(await self._startup(reader, writer))
        await self._answered(theirs[0], writer)
        self._free.append(theirs)
        said = asyncio.create_task(_message(reader))
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while (await said)[:1] != b"X":
                session = self._free.pop()
                answered = asyncio.create_task(self._answered(session[0], writer))
                while not answered.done():
                    if said.done():
                        session[1].write(said.result())
                        said = asyncio.create_task(_message(reader))
                    await asyncio.wait({said, answered}, return_when=asyncio.FIRST_COMPLETED)
                self._free.append(session)
        writer.close()

    async def _startup(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        while True:
            length = await reader.readexactly(4)
            rest = await reader.readexactly(int.from_bytes(length) - 4)
            if rest[:4] != (80877103).to_bytes(4):
                return length + rest
            writer.write(b"N")  # no TLS here

    async def _answered(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Passes on what the server says, until the session is in no transaction."""
        message = b""
        while message[:1] + message[-1:] != b"ZI":
            message = await _message(reader)
            writer.write(message)


async def _message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(5)
    return head + await reader.readexactly(int.from_bytes(head[1:]) - 4)


async def test_a_transaction_pooler_is_named_and_a_desk_does_not_start_behind_it(
    world: World,
    database_url: str,
    sql: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    name, host = database_url.partition("?")[0].rpartition("/")[2], await url_of(sql)
    folder = host.partition("host=")[2].partition("&")[0]
    async with Pooler(f"{folder}/.s.PGSQL.5432").open() as pooler:
        url = f"postgresql://postgres@127.0.0.1:{pooler.port}/{name}"
        (named,) = wrong(await examined(monkeypatch, tmp_path, environment(world, url)))
        with pytest.raises(StartError, match="DATABASE_URL leads to a transaction pooler"):
            async with app.running(world.settings(url)):
                pass
    assert (named.about, named.level) == ("pooler", "problem")
    assert named.says.startswith("a transaction pooler stands before the database")
    assert "the pooler's port for session mode" in (named.do or "")
