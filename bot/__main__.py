"""The command line: `python -m bot COMMAND`. Imports are inside the commands, so that `--help` is quick."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

if TYPE_CHECKING:
    from storage.engine import Database

app = App(name="python -m bot", help="Threadesk: a support desk that lives in Slack.", version_flags=[])
outbox = App(name="outbox", help="What waits to go out to Slack, and what Slack refused for good.")
app.command(outbox)
customer = App(name="customer", help="What is kept of a person: all of it in a file, or none of it any more.")
app.command(customer)


@app.command
async def run(*, migrate: bool = True) -> None:
    """Run the desk. Settings come from the environment or `.env`; the README lists them.

    Parameters
    ----------
    migrate
        Bring the database's tables up to date first.
    """
    from bot import app as desk
    from bot import settings

    try:
        await desk.run(settings.load(), migrating=migrate)
    except (settings.SettingsError, desk.StartError) as error:
        _give_up(error)


@app.command
async def migrate(*, down: bool = False, yes: bool = False) -> None:
    """Bring the database's tables up to date.

    Parameters
    ----------
    down
        Remove everything that migrations made, with all tickets in it. What was there before stays.
    yes
        Do that without being asked again.
    """
    from bot import app as desk
    from bot import settings
    from storage.embedded import EmbeddedPostgres

    if down and not yes:
        _give_up("This deletes every ticket. To go on: python -m bot migrate --down --yes")
    try:
        url, folder = settings.load_for_migration()
        async with desk.open_database(url.get_secret_value() if url else None, EmbeddedPostgres(folder)) as database:
            if down:
                await desk.take_away(database)
                print("The desk's tables are gone.")
            else:
                await desk.must_keep_sessions(database)
                print(f"The tables are at version {await desk.bring_up_to_date(database)}.")
                for warning in await desk.warnings(database):
                    print(f"! {warning}")
    except (settings.SettingsError, desk.StartError) as error:
        _give_up(error)


@app.command
def roles() -> None:
    """Print the SQL of a role for the desk that may do what the desk needs, and nothing else."""
    from storage import rights

    print(rights.grants(), end="")


@outbox.command(name="list")
async def outbox_list(*, json: bool = False) -> None:
    """Show what waits, by channel, and what is parked.

    Parameters
    ----------
    json
        As JSON, with everything that is known of it.
    """
    from bot import app as desk
    from bot import outbox as waiting

    async with _database() as database:
        now = desk.now()
        found = await waiting.look(database, now)
        print(waiting.as_json(found) if json else waiting.as_text(found, now))


@outbox.command(name="retry")
async def outbox_retry(*names: str) -> None:
    """Try again now what waits in these channels, or has these ids.

    Parameters
    ----------
    names
        Channels by name or id, or ids of what is parked; none: everything.
    """
    from bot import app as desk
    from bot import outbox as waiting

    async with _database() as database:
        print(await waiting.retry(database, desk.now(), names))


@outbox.command(name="drop")
async def outbox_drop(name: str, *names: str, yes: bool = False) -> None:
    """Give up what waits in these channels, or has these ids: it is never sent.

    Parameters
    ----------
    name
        A channel by name or id, or the id of what is parked.
    names
        More of them.
    yes
        Do that without being asked again.
    """
    from bot import app as desk
    from bot import logs
    from bot import outbox as waiting

    logs.set_up("INFO", to=sys.stderr)
    async with _database() as database:
        print(await waiting.drop(database, desk.now(), [name, *names], yes=yes))


@customer.command(name="export")
async def customer_export(person: str, *, notes: bool = False, file: Path | None = None) -> None:
    """Write all that is kept of a person, as JSON.

    Parameters
    ----------
    person
        Their e-mail, or Slack id, such as U024BE7LH.
    notes
        With what agents wrote for themselves on the person's tickets: notes, tags, custom fields.
    file
        Where to write it, for nobody else to read; none: standard output.
    """
    from bot import app as desk
    from bot import privacy

    async with _database() as database:
        found = await privacy.export(database, desk.now(), person, notes=notes)
    if file is None:
        print(found)
    else:
        _write(file, f"{found}\n")


@customer.command(name="erase")
async def customer_erase(person: str, *, yes: bool = False) -> None:
    """Take all that a person has said, and who they are, out of the database and the desk's messages in Slack.

    Parameters
    ----------
    person
        Their e-mail, or Slack id, such as U024BE7LH.
    yes
        Do that without being asked again.
    """
    from bot import app as desk
    from bot import privacy

    async with _database() as database:
        print(await privacy.erase(database, desk.now(), person, yes=yes))


@asynccontextmanager
async def _database() -> AsyncIterator[Database]:
    """The desk's database; what cannot be done is said in a sentence."""
    from bot import app as desk
    from bot import outbox as waiting
    from bot import privacy, settings
    from storage.embedded import EmbeddedPostgres

    try:
        url, folder = settings.load_for_migration()
        async with desk.open_database(url.get_secret_value() if url else None, EmbeddedPostgres(folder)) as database:
            yield database
    except (settings.SettingsError, desk.StartError, waiting.OutboxError, privacy.PrivacyError) as error:
        _give_up(error)


@app.command
async def doctor(*, json: bool = False) -> None:
    """Look for what keeps the desk from working, and say what to do. Exits with 1 where something is wrong.

    Parameters
    ----------
    json
        For a program rather than a person.
    """
    from bot.doctor import examine, is_well, report

    found = await examine()
    print(report(found, as_json=json))
    sys.exit(0 if is_well(found) else 1)


@app.command
async def demo() -> None:
    """Play a support case in a sandbox workspace against the real desk, and show what everybody sees."""
    from bot import logs
    from bot.demo import play

    logs.set_up("WARNING")
    sys.exit(await play())


@app.command
async def sandbox(
    *,
    port: int = 8010,
    request_url: str = "http://127.0.0.1:3000/slack/events",
    socket: Annotated[bool, Parameter(negative="")] = False,
    manifest: Path = Path("manifest.yml"),
    speed: Annotated[float, Parameter(help="Factor by which Slack's waits and rate limits are shortened.")] = 1.0,
) -> None:
    """Start a Slack workspace on this machine, to try the desk in.

    Parameters
    ----------
    port
        Where it listens, on 127.0.0.1.
    request_url
        Where it delivers events to: the desk's address.
    socket
        Deliver in Socket Mode instead, over connections that the desk opens.
    manifest
        The app's manifest: its scopes, events and commands.
    """
    from bot.sandbox.standalone import CannotServe, serve

    try:
        await serve(port, None if socket else request_url, manifest, speed)
    except CannotServe as error:
        _give_up(error)


def _write(file: Path, words: str) -> None:
    """For its owner's eyes only, also where the file was there before."""
    try:
        file.touch(mode=0o600)
        file.chmod(0o600)
        file.write_text(words, encoding="utf-8")
    except OSError as error:
        _give_up(f"{file} cannot be written: {error.strerror}")


def _give_up(why: object) -> None:
    print(why, file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    app()
