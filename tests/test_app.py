"""The program as it is run: starting, being ready, refusing to start with one sentence, and stopping in good order."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest

from bot import app
from bot.app import StartError
from bot.settings import load_for_migration
from tests.conftest import Office, World

ROOT = Path(__file__).parent.parent


def environment(world: World, database_url: str | None, **changes: str) -> dict[str, str]:
    """What a person would set, and nothing of this process's own settings."""
    settings = {
        "SLACK_BOT_TOKEN": world.sandbox.bot_token,
        "SLACK_SIGNING_SECRET": world.sandbox.signing_secret,
        "SLACK_API_URL": world.sandbox.api_url,
        "TRIAGE_CHANNEL": "triage",
        "SUPPORT_CHANNELS": "help-globex",
        "PORT": str(free_port()),
        "POST_INTERVAL_SECONDS": "0.02",
        "REPLY_UNDO_SECONDS": "0",
    }
    database = {"DATABASE_URL": database_url} if database_url else {}
    return settings | database | changes


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


async def start(folder: Path, *arguments: str, **settings: str) -> asyncio.subprocess.Process:
    """`python -m bot …` in an empty folder, where no .env file helps out."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", *arguments),
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT)} | settings,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def finished(folder: Path, *arguments: str, **settings: str) -> tuple[int | None, str, str]:
    """How `python -m bot …` ended: its exit status, its output and its errors."""
    process = await start(folder, *arguments, **settings)
    output, errors = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, output.decode(), errors.decode()


async def get(url: str) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as http, http.get(url) as answer:
        return answer.status, await answer.json()


@asynccontextmanager
async def desk(
    world: World, folder: Path, database_url: str | None, **changes: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The desk as a process of its own, from when it is ready until it is told to stop."""
    settings = environment(world, database_url, **changes)
    url = f"http://127.0.0.1:{settings['PORT']}"
    process = await start(folder, "run", **settings)
    try:
        await asyncio.wait_for(ready(url, process), 60)
        world.sandbox.deliver_to(f"{url}/slack/events")
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def ready(url: str, process: asyncio.subprocess.Process) -> None:
    while process.returncode is None:
        try:
            if (await get(f"{url}/readyz"))[0] == 200:
                return
        except aiohttp.ClientConnectionError:
            await asyncio.sleep(0.05)
    raise AssertionError((await process.communicate())[1].decode())


async def until(happened: Callable[[], Coroutine[Any, Any, bool]]) -> None:
    async with asyncio.timeout(20):
        while not await happened():  # noqa: ASYNC110 - another process has no event for it
            await asyncio.sleep(0.01)


async def test_a_desk_that_works_is_alive_and_ready(office: Office) -> None:
    assert await get(f"{office.url}/healthz") == (200, {"alive": True})
    assert await get(f"{office.url}/readyz") == (200, {"database": True, "migrations": True, "slack": True})


async def test_without_its_database_the_desk_is_alive_and_not_ready(office: Office, postgres: str) -> None:
    name = await office.sql.fetchval("select current_database()")
    mine = await office.sql.fetchval("select pg_backend_pid()")
    administrator = await asyncpg.connect(postgres)
    try:
        await administrator.execute(f"alter database {name} allow_connections false")
        await administrator.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and pid <> $2", name, mine
        )
        assert await get(f"{office.url}/readyz") == (503, {"database": False, "migrations": False, "slack": True})
        assert (await get(f"{office.url}/healthz"))[0] == 200
    finally:
        await administrator.execute(f"alter database {name} allow_connections true")
        await administrator.close()
    assert (await get(f"{office.url}/readyz"))[0] == 200


async def test_with_migrations_missing_the_desk_is_not_ready(office: Office) -> None:
    await office.sql.execute("update threadesk.alembic_version set version_num = '0001'")
    assert await get(f"{office.url}/readyz") == (503, {"database": True, "migrations": False, "slack": True})


@pytest.mark.parametrize("how", ["http_500", "ratelimited", "cut_before"])
async def test_while_slack_is_away_the_desk_is_not_ready(office: Office, how: Any) -> None:
    office.sandbox.disrupt("auth.test", how)
    assert await get(f"{office.url}/readyz") == (503, {"database": True, "migrations": True, "slack": False})


async def test_slack_is_asked_once_a_minute_whether_it_takes_the_token(office: Office) -> None:
    async def asked() -> int:
        assert (await get(f"{office.url}/readyz"))[0] == 200
        return sum(call.method == "auth.test" for call in office.sandbox.calls)

    first = await asked()
    assert await asked() == first
    office.world.clock.advance(minutes=2)
    assert await asked() == first + 1


async def test_sigterm_finishes_what_is_under_way_and_exits_in_peace(
    world: World, database_url: str, sql: asyncpg.Connection, tmp_path: Path
) -> None:
    """Two posts and the answer to a command are on their way when the desk is told to stop."""
    async with desk(world, tmp_path, database_url) as process:
        world.sandbox.disrupt("chat.postMessage", "slow", times=2, seconds=1)
        await world.ada.post(world.help, "The export fails")
        await world.sandbox.settled()

        async def both_under_way() -> bool:
            return bool(await sql.fetchval("select count(*) = 2 from threadesk.posted where ts is null"))

        async def command_under_way() -> bool:
            waiting = "datname = current_database() and wait_event_type = 'Lock'"
            return bool(await sql.fetchval(f"select exists (select from pg_stat_activity where {waiting})"))

        await until(both_under_way)
        async with sql.transaction():
            await sql.execute("select from tickets for update")
            command = asyncio.create_task(world.grace.command("/ticket", "priority 1 high", channel=world.triage))
            await until(command_under_way)
            process.send_signal(signal.SIGTERM)
        output, errors = await asyncio.wait_for(process.communicate(), 20)

        assert process.returncode == 0, errors.decode()
        assert b"Traceback" not in output + errors
        assert (await command).ok
        assert await sql.fetchval("select priority from tickets") == "high"
        assert await sql.fetchval("select count(*) from threadesk.posted where ts is not null") == 2
        assert len(world.sandbox.messages(world.triage)) == 1
    world.sandbox.deliver_to(None)


async def test_missing_settings_are_named_all_at_once_with_where_each_is_found(world: World, tmp_path: Path) -> None:
    missing = ["SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET"]
    settings = {name: value for name, value in environment(world, None).items() if name not in missing}
    status, output, errors = await finished(tmp_path, "run", **settings)
    assert (status, output) == (2, "")
    heading, *lines = errors.splitlines()
    assert heading.startswith("These settings are missing or wrong")
    assert [line.partition(" is missing (")[0].strip() for line in lines] == missing


async def test_with_an_app_level_token_no_signing_secret_is_missed(world: World, tmp_path: Path) -> None:
    settings = environment(world, None, SLACK_APP_TOKEN="xoxb-1", PORT="http")
    del settings["SLACK_SIGNING_SECRET"]
    _, _, errors = await finished(tmp_path, "run", **settings)
    assert sorted(line.split()[0] for line in errors.splitlines()[1:]) == ["PORT", "SLACK_APP_TOKEN"]
    assert "begins with xapp-" in errors


async def test_everything_wrong_with_the_settings_is_said_at_once(world: World, tmp_path: Path) -> None:
    wrong = {
        "SLACK_BOT_TOKEN": "xoxp-1",
        "DATABASE_URL": "mysql://x",
        "PORT": "http",
        "SLACK_API_URL": "slack.com",
        "LOG_LEVEL": "LOUD",
        "REPLY_UNDO_SECONDS": "-1",
    }
    status, output, errors = await finished(tmp_path, "run", **environment(world, None, **wrong))
    assert (status, output) == (2, "")
    assert sorted(line.split()[0] for line in errors.splitlines()[1:]) == sorted(wrong)
    assert "  PORT must be a whole number from 0 to 65535" in errors.splitlines()
    assert "  REPLY_UNDO_SECONDS must be a number from 0 to 600" in errors.splitlines()
    assert "  DATABASE_URL is no PostgreSQL URL: that begins with postgresql://" in errors.splitlines()
    assert "Traceback" not in errors
    assert "xoxp-1" not in errors


async def test_a_token_that_slack_does_not_take_is_said_without_the_token(
    world: World, database_url: str, tmp_path: Path
) -> None:
    status, _, errors = await finished(
        tmp_path, "run", **environment(world, database_url, SLACK_BOT_TOKEN="xoxb-wrong")
    )
    assert (status, errors) == (
        2,
        "Slack does not accept SLACK_BOT_TOKEN (invalid_auth). Copy it again from OAuth & Permissions.\n",
    )


@pytest.mark.parametrize(
    ("command", "wrong"),
    [
        (["run"], "no such database"),
        (["run", "--no-migrate"], "nobody listens"),
        (["migrate"], "nobody listens"),
        (["migrate", "--down", "--yes"], "nobody listens"),
    ],
)
async def test_a_database_that_cannot_be_reached_is_said_in_a_sentence(
    world: World, postgres: str, tmp_path: Path, command: list[str], wrong: str
) -> None:
    url = {
        "nobody listens": f"postgresql://desk:hidden@127.0.0.1:{free_port()}/desk",
        "no such database": postgres.replace("/threadesk?", "/no_such_database?"),
    }[wrong]
    status, _, errors = await finished(tmp_path, *command, **environment(world, url))
    assert status == 2
    assert errors.startswith("The database cannot be reached: ")
    assert len(errors.splitlines()) == 1
    assert "hidden" not in errors


@pytest.mark.parametrize("command", ["run", "migrate", "doctor"])
@pytest.mark.parametrize("sign", ["/", "#", "?"])
async def test_a_password_that_is_not_encoded_is_said_without_any_of_it(
    world: World, tmp_path: Path, command: str, sign: str
) -> None:
    url = f"postgresql://desk:sesame{sign}open@127.0.0.1/desk"
    status, output, errors = await finished(tmp_path, command, **environment(world, url))
    assert status == (1 if command == "doctor" else 2)
    assert "DATABASE_URL has no port where one should be" in output + errors
    assert not [word for word in ("sesame", "Traceback") if word in output + errors]


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://desk@/desk?host=/run/postgresql",
        "postgresql://desk@%2Frun%2Fpostgresql:5433/desk",
        "postgres://desk:s%2Fesame@one.example.com:5432,two.example.com/desk",
        "postgresql://desk@[::1]:5432,[::1]/desk",
    ],
)
def test_every_form_of_a_database_url_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", url)
    found, _ = load_for_migration()
    assert found is not None
    assert found.get_secret_value() == url


async def test_slack_out_of_reach_is_said_in_a_sentence(world: World, database_url: str, tmp_path: Path) -> None:
    address = f"http://127.0.0.1:{free_port()}/api/"
    status, _, errors = await finished(tmp_path, "run", **environment(world, database_url, SLACK_API_URL=address))
    assert status == 2
    assert errors == f"Slack cannot be reached at {address}: connection refused\n"


async def test_a_port_in_use_is_said_in_a_sentence(world: World, database_url: str, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        status, _, errors = await finished(tmp_path, "run", **environment(world, database_url, PORT=port))
    assert (status, errors) == (2, f"HOST, PORT: cannot listen on 127.0.0.1:{port}: address already in use\n")


async def test_a_sandbox_whose_port_is_in_use_says_so_in_a_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        manifest = str(ROOT / "manifest.yml")
        status, output, errors = await finished(tmp_path, "sandbox", "--port", port, "--manifest", manifest)
    assert (status, output) == (2, "")
    assert errors == f"--port: cannot listen on 127.0.0.1:{port}: address already in use\n"


async def test_a_sandbox_without_its_manifest_says_so_in_a_sentence(tmp_path: Path) -> None:
    status, _, errors = await finished(tmp_path, "sandbox")
    assert (status, errors) == (2, "--manifest: cannot read manifest.yml: No such file or directory\n")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"triage_channel": "secret"}, "TRIAGE_CHANNEL: Slack shows the desk no channel secret. Invite it there first"),
        ({"triage_channel": "lobby"}, "TRIAGE_CHANNEL: #lobby cannot be used, because it is public and notes would be"),
        ({"triage_channel": "joint"}, "TRIAGE_CHANNEL: #joint cannot be used, because it is shared with another"),
        ({"triage_channel": "help-globex"}, "TRIAGE_CHANNEL: #help-globex cannot be used, because it is shared"),
        ({"triage_channel": "#old"}, "TRIAGE_CHANNEL: Slack shows the desk no channel old."),
        ({"support_channels": "triage"}, "SUPPORT_CHANNELS: the triage channel cannot be a support channel too."),
        ({"support_channels": "help-globex, nowhere"}, "SUPPORT_CHANNELS: Slack shows the desk no channel nowhere."),
        ({"support_channels": "empty"}, "SUPPORT_CHANNELS: Slack shows the desk no channel empty. Invite it there"),
        ({"triage_channel": None}, "SUPPORT_CHANNELS: there is no triage channel to show their tickets in"),
        ({"digest_channel": "help-globex"}, "DIGEST_CHANNEL: #help-globex is shared with another company, which would"),
        (
            {"support_channels": "help-globex,lobby", "digest_channel": "lobby"},
            "DIGEST_CHANNEL: customers write in #lobby, who would read what others say.",
        ),
        ({"digest_channel": "empty"}, "DIGEST_CHANNEL: Slack shows the desk no channel empty. Invite it there first"),
        ({"digest_channel": "leads"}, "DIGEST_CHANNEL: Slack shows the desk no channel leads. Invite it there first"),
    ],
)
async def test_a_channel_that_cannot_serve_is_explained(
    world: World, database_url: str, sql: asyncpg.Connection, changes: dict[str, str], sentence: str
) -> None:
    sandbox, grace = world.sandbox, world.grace
    (globex,) = world.help.shared_with
    await sandbox.add_channel("secret", private=True, members=[grace])
    await sandbox.add_channel("leads", private=True, members=[grace])
    await sandbox.add_channel("empty", members=[grace])
    await sandbox.add_channel("lobby", members=[grace, sandbox.bot])
    await sandbox.add_channel("joint", private=True, shared_with=[globex], members=[grace, sandbox.bot])
    old = await sandbox.add_channel("old", private=True, members=[grace, sandbox.bot])
    sandbox.archive(old)
    with pytest.raises(StartError) as refused:
        async with app.running(world.settings(database_url, **changes), migrating=False):
            pass
    assert str(refused.value).startswith(sentence)
    assert await sql.fetchval("select count(*) from threadesk.channels") == 0


async def test_channels_are_found_by_name_with_or_without_hash_and_by_id(
    world: World, database_url: str, sql: asyncpg.Connection
) -> None:
    changes = {"triage_channel": world.triage.id, "support_channels": "#help-globex"}
    async with app.running(world.settings(database_url, **changes), migrating=False):
        found = await sql.fetch("select id, role from threadesk.channels order by role")
    assert [tuple(row) for row in found] == [(world.help.id, "support"), (world.triage.id, "triage")]


async def test_a_name_in_the_settings_that_is_another_by_now_keeps_no_desk_from_starting(
    world: World, database_url: str, sql: asyncpg.Connection
) -> None:
    """What was set up stays; the channel was renamed in Slack while the desk was down."""
    async with app.running(world.settings(database_url), migrating=False):
        before = await sql.fetch("select id, role, triage_channel from threadesk.channels order by id")
    world.sandbox.rename(world.triage, "agents")
    world.sandbox.rename(world.help, "help-globex-inc")
    async with app.running(world.settings(database_url), migrating=False):
        pass
    world.triage.kind = "channel"
    renamed = {"triage_channel": "agents", "support_channels": "help-globex-inc"}
    async with app.running(world.settings(database_url, **renamed), migrating=False):
        assert await sql.fetchval("select suspended from threadesk.channels where role = 'triage'") == "it is public"
        assert await sql.fetchval("select name from threadesk.channels where role = 'support'") == "help-globex-inc"
    assert await sql.fetch("select id, role, triage_channel from threadesk.channels order by id") == before


async def test_help_needs_no_settings(tmp_path: Path) -> None:
    commands: list[list[str]] = [[], ["run"], ["doctor"], ["migrate"], ["demo"], ["sandbox"], ["roles"]]
    for status, output, errors in await asyncio.gather(*(finished(tmp_path, *one, "--help") for one in commands)):
        assert (status, errors) == (0, "")
        assert output.startswith("Usage: python -m bot")


async def test_migrate_makes_the_tables_and_down_takes_them_away_when_meant(empty_url: str, tmp_path: Path) -> None:
    sql = await asyncpg.connect(empty_url)
    version = max(file.name[:4] for file in (ROOT / "migrations" / "versions").glob("0*.py"))
    newest = f"The tables are at version {version}.\n"
    assert await finished(tmp_path, "migrate", DATABASE_URL=empty_url) == (0, newest, "")
    assert await finished(tmp_path, "migrate", DATABASE_URL=empty_url) == (0, newest, "")
    assert await sql.fetchval("select count(*) from tickets") == 0

    status, output, errors = await finished(tmp_path, "migrate", "--down", DATABASE_URL=empty_url)
    assert (status, output) == (2, "")
    assert errors == "This deletes every ticket. To go on: python -m bot migrate --down --yes\n"
    assert await sql.fetchval("select to_regclass('public.tickets') is not null")

    gone = await finished(tmp_path, "migrate", "--down", "--yes", DATABASE_URL=empty_url)
    assert gone == (0, "The desk's tables are gone.\n", "")
    left = await sql.fetch("select nspname from pg_namespace where nspname in ('threadesk', 'auth')")
    assert (await sql.fetchval("select to_regclass('public.tickets')"), left) == (None, [])
    await sql.close()


async def test_without_a_database_url_the_embedded_postgresql_is_used(world: World, tmp_path: Path) -> None:
    """It lies under DATA_DIR, stops with the desk and keeps what was written."""
    folder = tmp_path / "kept"
    settings = environment(world, None, DATA_DIR=str(folder), GROUP_SECONDS="0")
    for expected in (1, 2):
        process = await start(tmp_path, "run", **settings)
        url = f"http://127.0.0.1:{settings['PORT']}"
        await asyncio.wait_for(ready(url, process), 60)
        world.sandbox.deliver_to(f"{url}/slack/events")
        await world.ada.post(world.help, "The export fails")
        await carded(world, expected)
        process.terminate()
        _, errors = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == 0, errors.decode()
        world.sandbox.deliver_to(None)
    assert {one.text.split()[0] for one in world.sandbox.messages(world.triage)} == {"#1", "#2"}
    assert (folder / "postgres").exists() or (folder / "postgres.location").exists()
    assert not running_under(folder)


async def carded(world: World, cards: int) -> None:
    async def shown() -> bool:
        return len(world.sandbox.messages(world.triage)) == cards

    await until(shown)


def running_under(folder: Path) -> bool:
    location = folder / "postgres.location"
    home = Path(location.read_text().strip()) if location.exists() else folder / "postgres"
    return (home / "data" / "postmaster.pid").exists()
