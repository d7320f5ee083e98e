"""The composition root: settings → database → Slack → listeners → server, sockets → courier and clock → shutdown."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import functools
import gc
import signal
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, cast

import structlog
from aiohttp import web
from slack_bolt.async_app import AsyncBoltRequest
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

from bot import listeners, logs
from bot.delivery import directory, following, triage
from bot.delivery.catch_up import CatchUp
from bot.delivery.clock import Clock
from bot.delivery.courier import Courier
from bot.delivery.homes import Homes
from bot.delivery.importer import Importer
from bot.delivery.porter import Porter
from bot.delivery.slack import RateLimited, SlackRefused, Unclear, ask, client, hasty_client, patient_client
from bot.listeners import http, messages, payloads
from bot.listeners.requests import CountedApp
from bot.listeners.socket import SocketMode
from bot.metrics import VERSION, Metrics
from bot.services import Services
from bot.settings import Settings, SettingsError
from bot.tickets import text
from bot.tickets.desk import Desk
from bot.tickets.places import Found, unfit_for_triage
from storage import adoption, channels, examination, migrate, rights, showing
from storage.embedded import EmbeddedPostgres, EmbeddedPostgresError
from storage.engine import Database, DatabaseAway, Transaction

log = structlog.get_logger(__name__)


class StartError(Exception):
    """Why the desk cannot start, as a sentence for the person who runs it."""


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@asynccontextmanager
async def open_database(url: str | None, folder: EmbeddedPostgres) -> AsyncIterator[Database]:
    """The database at the URL, or the embedded one, which is stopped at the end when nobody else uses it."""
    if url is None:
        try:
            url = await asyncio.to_thread(folder.start)
        except EmbeddedPostgresError as error:
            raise StartError(str(error)) from None
        embedded: EmbeddedPostgres | None = folder
    else:
        embedded = None
    database = Database(url)
    try:
        yield database
    finally:
        await database.close()
        if embedded is not None:
            await asyncio.to_thread(embedded.stop)


@contextlib.contextmanager
def _reaching_the_database() -> Iterator[None]:
    try:
        yield
    except migrate.MigrationError as error:
        raise StartError(str(error)) from None
    except DatabaseAway as error:
        raise StartError(f"The database cannot be reached: {error}. Is DATABASE_URL right and PostgreSQL up?") from None


async def must_keep_sessions(database: Database) -> None:
    with _reaching_the_database():
        if await examination.is_pooled_by_transaction(database):
            raise StartError(
                "DATABASE_URL leads to a transaction pooler, behind which prepared statements and LISTEN fail."
                " Name the database itself, or the pooler's port for session mode."
            )


async def bring_up_to_date(database: Database, *, settling: bool = True) -> str:
    with _reaching_the_database():
        return await migrate.upgrade(database, settling=settling)


async def warnings(database: Database) -> list[str]:
    """What a person should know of tables that were there before the desk, in sentences."""
    with _reaching_the_database():
        wrong = [
            f"{one}. No CHECK sees to that until it is put right and you migrate again."
            for one in await adoption.failing(database)
        ]
        return wrong + [f"{one}. {_seeing(one)}" for one in await rights.hidden_from_anybody(database)]


def _seeing(one: rights.Hidden) -> str:
    if one.role == rights.DESK:
        return "`python -m bot roles` prints a policy."
    return "Give it a policy with which it sees and changes every row, or BYPASSRLS."


async def take_away(database: Database) -> None:
    with _reaching_the_database():
        await migrate.downgrade(database)


@dataclass
class Running:
    """A desk that is up; `port` is where it listens."""

    services: Services
    port: int
    stop: asyncio.Event
    catch_up: CatchUp


async def run(settings: Settings, *, migrating: bool = True, clock: Callable[[], dt.datetime] = now) -> None:
    """Runs until SIGTERM or SIGINT; then takes no more requests and finishes what is under way."""
    loop = asyncio.get_running_loop()
    logs.set_up(settings.log_level, hide=secrets_of(settings))
    logs.watch(loop)
    async with running(settings, migrating=migrating, clock=clock) as desk:
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, desk.stop.set)
        try:
            await desk.services.database.fill()
        except DatabaseAway as error:
            log.warning("the database gives fewer connections than a crowd of events needs", error=str(error))
        # What is there now stays until the end. Looking through all of it again and again would hold up every answer
        # for a tenth of a second each time.
        gc.freeze()
        log.info(
            "the desk is open",
            version=VERSION,
            transport="socket" if settings.slack_app_token else "http",
            host=settings.host,
            port=desk.port,
        )
        await desk.stop.wait()
        log.info("the desk is closing")
    log.info("the desk is closed")


def secrets_of(settings: Settings) -> list[str]:
    secret = (
        settings.slack_bot_token,
        settings.slack_app_token,
        settings.slack_signing_secret,
        settings.database_url,
    )
    return [one.get_secret_value() for one in secret if one is not None]


@asynccontextmanager
async def running(
    settings: Settings, *, migrating: bool = True, clock: Callable[[], dt.datetime] = now
) -> AsyncIterator[Running]:
    url = settings.database_url.get_secret_value() if settings.database_url else None
    async with open_database(url, EmbeddedPostgres(settings.data_dir)) as database:
        await must_keep_sessions(database)
        if migrating:
            await bring_up_to_date(database, settling=False)
        with _reaching_the_database():
            services = await introduce(settings, database, clock)
        stop = asyncio.Event()
        # Left in reverse: first no more requests are taken, then what is under way is finished.
        async with (
            _working(services, stop) as catch_up,
            _listening(settings, services, stop) as port,
        ):
            yield Running(services, port, stop, catch_up)


@asynccontextmanager
async def _working(services: Services, stop: asyncio.Event) -> AsyncIterator[CatchUp]:
    """What works in the background. Where one of them fails, `stop` is set, and the failure raised at the end."""
    courier, due, porter = Courier(services), Clock(services), Porter(services)
    catch_up = CatchUp(services, functools.partial(messages.heard, services))
    reading = functools.partial(payloads.arrived, desk=services.desk)
    importer = Importer(services, reading, Homes(services, services.slack))
    work = [asyncio.create_task(each.run()) for each in (courier, due, porter, catch_up, importer)]
    for task in work:
        task.add_done_callback(lambda _: stop.set())
    try:
        yield catch_up
    finally:
        for each in (importer, catch_up, porter, due, courier):
            each.stop()
        await asyncio.gather(*work)


async def introduce(settings: Settings, database: Database, clock: Callable[[], dt.datetime]) -> Services:
    """Finds out who the desk is in Slack, and which channels it serves."""
    token = settings.slack_bot_token.get_secret_value()
    metrics = Metrics()
    slack = patient_client(token, settings.slack_api_url, metrics)
    try:
        me = await ask(slack, "auth.test")
        wanted = (settings.triage_channel, *settings.support_channels, settings.digest_channel)
        found = await directory.find_channels(slack, {one for one in wanted if one})
        digest_channel = _digest_channel(settings, found)
        desk = Desk(
            team_id=str(me["team_id"]),
            team_url=str(me["url"]),
            bot_user=str(me["user_id"]),
            digest_channel=digest_channel,
            undo=settings.undo,
            grouping=dt.timedelta(seconds=settings.group_seconds),
            reopening=dt.timedelta(days=settings.reopen_days),
            cooldown=dt.timedelta(days=settings.rating_cooldown_days),
            retention=settings.retention,
        )
        services = Services(
            database=database,
            desk=desk,
            slack=client(token, settings.slack_api_url, settings.slack_call_seconds, metrics),
            now=clock,
            pace=settings.post_interval_seconds,
            call_seconds=settings.slack_call_seconds,
            metrics=metrics,
        )
        chosen = await first_set_up(settings, services, found)
        await triage.check_all(replace(services, slack=slack))
        if chosen is not None:
            await _must_serve(services, chosen)
    except SlackRefused as refused:
        raise StartError(_refusal(refused.error)) from None
    except (Unclear, RateLimited) as error:
        raise StartError(f"Slack cannot be reached at {settings.slack_api_url}: {error}") from None
    return services


def _refusal(error: str) -> str:
    if error in {"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired"}:
        return f"Slack does not accept SLACK_BOT_TOKEN ({error}). Copy it again from OAuth & Permissions."
    if error == "missing_scope":
        return "The app lacks a scope. Compare its manifest with manifest.yml, then install it again."
    return f"Slack refused to tell who the desk is: {error}"


def _digest_channel(settings: Settings, found: dict[str, Found]) -> str | None:
    if settings.digest_channel is None:
        return None
    if settings.digest_channel not in found:
        raise StartError(invisible("DIGEST_CHANNEL", settings.digest_channel))
    channel = found[settings.digest_channel]
    if not channel.member:
        raise StartError(invisible("DIGEST_CHANNEL", settings.digest_channel))
    if channel.shared:
        raise StartError(
            f"DIGEST_CHANNEL: #{channel.name} is shared with another company, which would read what others' customers"
            " say. Choose a channel of your own."
        )
    if channel.id in {found[name].id for name in settings.support_channels if name in found}:
        raise StartError(
            f"DIGEST_CHANNEL: customers write in #{channel.name}, who would read what others say."
            " Choose a channel that is no support channel."
        )
    return channel.id


def invisible(setting: str, channel: str) -> str:
    return f"{setting}: Slack shows the desk no channel {channel}. Invite it there first: /invite @desk"


async def first_set_up(settings: Settings, services: Services, found: dict[str, Found]) -> Found | None:
    """Sets up those channels of the settings that have no row; returns the triage channel if it is one of them.

    A row says how its channel is set up, whatever the settings say. Where there is a triage channel already, no name in
    the settings keeps the desk from starting: the channel may have been renamed in Slack.
    """
    async with services.transaction() as tx:
        await tx.act_as(None, "desk")
        begun = bool(await channels.served(tx, "triage"))
        known = {name for name, one in found.items() if await channels.find(tx, one.id)}
        chosen = None
        with _left_out(begun):
            chosen = await _first_triage(tx, settings, found, known)
        for name in settings.support_channels:
            if name not in known:
                with _left_out(begun):
                    await _first_support(tx, settings, found, name)
        for one in found.values():
            row = await channels.find(tx, one.id)
            if row is not None and row.role != "triage":
                await following.see(tx, row, one)
        await showing.wake(tx)
        if not await channels.served(tx, "triage"):
            log.warning("there is no triage channel: an admin of the workspace sets it up by /ticket setup")
    return chosen


@contextlib.contextmanager
def _left_out(begun: bool) -> Iterator[None]:
    """A name that cannot be set up is left out, and keeps no other from it; where nothing is set up yet, it is said."""
    try:
        yield
    except StartError as error:
        if not begun:
            raise
        log.warning("a channel in the settings is not set up", why=str(error))


async def _first_triage(
    tx: Transaction, settings: Settings, found: dict[str, Found], known: Collection[str]
) -> Found | None:
    name = settings.triage_channel
    if name is None or name in known:
        return None
    chosen = found.get(name)
    if chosen is None or not chosen.member:
        raise StartError(invisible("TRIAGE_CHANNEL", name))
    unfit = unfit_for_triage(chosen)
    if unfit:
        raise StartError(
            f"TRIAGE_CHANNEL: #{chosen.name} cannot be used, because {unfit} and notes would be read by others."
            " Choose a private channel that is not shared."
        )
    if await channels.has_tickets(tx, chosen.id, "customer"):
        raise StartError(f"TRIAGE_CHANNEL: customers have tickets in #{chosen.name}, and would read notes there.")
    await channels.choose_triage(tx, chosen.id, chosen.name, suspended=None)
    return chosen


async def _first_support(tx: Transaction, settings: Settings, found: dict[str, Found], name: str) -> None:
    if name not in found or not found[name].member:
        raise StartError(invisible("SUPPORT_CHANNELS", name))
    triage = found.get(settings.triage_channel or "")
    all_triage = await channels.served(tx, "triage")
    goes_to = next(
        (one for one in all_triage if triage and one.id == triage.id), all_triage[-1] if all_triage else None
    )
    if goes_to is None:
        raise StartError("SUPPORT_CHANNELS: there is no triage channel to show their tickets in: set TRIAGE_CHANNEL.")
    if found[name].id in {one.id for one in all_triage}:
        raise StartError("SUPPORT_CHANNELS: the triage channel cannot be a support channel too.")
    if await channels.has_tickets(tx, found[name].id, "triage"):
        raise StartError(f"SUPPORT_CHANNELS: notes stand in #{found[name].name}, which customers must not read.")
    await channels.choose_support(tx, found[name].id, found[name].name, goes_to.id)


async def _must_serve(services: Services, chosen: Found) -> None:
    async with services.transaction() as tx:
        channel = await channels.find(tx, chosen.id)
    if channel and channel.suspended:
        raise StartError(f"TRIAGE_CHANNEL: #{chosen.name} cannot be used: {channel.suspended}.")


@asynccontextmanager
async def _listening(settings: Settings, services: Services, stop: asyncio.Event) -> AsyncIterator[int]:
    """Slack's way in, by HTTP or by Socket Mode; the port of the web server. Where it fails for good, `stop` is set."""
    bolt = bolt_app(settings, services)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(bolt.homes.finish)
        if settings.slack_app_token is None:
            yield await stack.enter_async_context(_serving(settings, http.web_app(services, bolt)))
            return
        token = settings.slack_app_token.get_secret_value()
        slack = patient_client(token, settings.slack_api_url, services.metrics)
        sockets = SocketMode(bolt, slack, settings.socket_connections, on_gap=services.gap.set, on_failure=stop.set)
        served = http.web_app(services, connected=lambda: sockets.connected)
        port = await stack.enter_async_context(_serving(settings, served))
        await _connect(settings, sockets)
        stack.push_async_callback(sockets.stop)
        yield port


async def _connect(settings: Settings, sockets: SocketMode) -> None:
    try:
        await sockets.start()
    except SlackRefused as refused:
        raise StartError(_refusal_of_the_app(refused.error)) from None
    except (Unclear, RateLimited) as error:
        raise StartError(f"Slack cannot be reached at {settings.slack_api_url}: {error}") from None


def _refusal_of_the_app(error: str) -> str:
    if error == "missing_scope":
        return "SLACK_APP_TOKEN lacks the scope connections:write. Make another one on Basic Information."
    if error == "socket_mode_not_enabled":
        return "Socket Mode is off. Switch it on, on the app's page Socket Mode; or leave SLACK_APP_TOKEN out."
    return (
        f"Slack does not accept SLACK_APP_TOKEN ({error})."
        " Copy it again from Basic Information, App-Level Tokens, and see that Socket Mode is on."
    )


@asynccontextmanager
async def _serving(settings: Settings, served: web.Application) -> AsyncIterator[int]:
    runner = web.AppRunner(served, access_log=None, shutdown_timeout=10)
    await runner.setup()
    try:
        site = web.TCPSite(runner, settings.host, settings.port)
        try:
            await site.start()
        except OSError as error:
            place = f"{settings.host}:{settings.port}"
            why = str(error.strerror).rpartition(": ")[2]
            raise StartError(f"HOST, PORT: cannot listen on {place}: {why}") from None
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def bolt_app(settings: Settings, services: Services) -> CountedApp:
    secret, token = settings.slack_signing_secret, settings.slack_bot_token.get_secret_value()
    hasty, desk = hasty_client(token, settings.slack_api_url, services.metrics), services.desk

    async def authorize() -> AuthorizeResult:
        """Who the desk is was asked at start. Bolt would ask again at the first request and, where Slack does not
        answer then, acknowledge that request without doing it."""
        return AuthorizeResult(enterprise_id=None, team_id=desk.team_id, bot_user_id=desk.bot_user, bot_token=token)

    app = CountedApp(
        services.metrics,
        Homes(services, hasty),
        # With a token Bolt would not heed `authorize`.
        client=AsyncWebClient(base_url=settings.slack_api_url),
        authorize=authorize,
        signing_secret=secret.get_secret_value() if secret else "",
        process_before_response=True,
        # That somebody has deleted a message of the desk's is told as if the desk had done it. What the desk itself
        # says, `payloads` knows to be nobody's words.
        ignoring_self_events_enabled=False,
    )

    @app.middleware
    async def cleaned(req: AsyncBoltRequest, next: Callable[[], object]) -> None:  # noqa: A002 - Bolt's name
        req.body = cast("dict[str, Any]", text.clean(req.body))
        req.context["client"] = hasty  # Bolt makes one for each request, which counts nothing
        await next()  # type: ignore[misc]

    listeners.register(app, services)
    return app


__all__ = ["Running", "SettingsError", "StartError", "run", "running"]
