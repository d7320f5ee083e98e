"""Ways to PostgreSQL: encrypted or not, through a pooler that keeps sessions, and to the server that has taken over."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from storage import examination
from storage.engine import Database, DatabaseAway
from tests.conftest import World, open_office
from tests.test_doctor import Pooler, _message

NOW = dt.datetime(2026, 3, 4, 12, tzinfo=dt.UTC)
#: https://www.postgresql.org/docs/current/protocol-message-formats.html (SSLRequest, ErrorResponse)
SSL_REQUEST = (80877103).to_bytes(4)
NOT_ENCRYPTED = b"SFATAL\0VFATAL\0C28000\0Mno pg_hba.conf entry for host, no encryption\0\0"


def socket_of(database_url: str) -> str:
    (folder,) = parse_qs(urlsplit(database_url).query)["host"]
    return f"{folder}/.s.PGSQL.5432"


def at(database_url: str, *hosts: str, **parameters: str) -> str:
    """The URL of the same database at other hosts."""
    query = "&".join(f"{name}={value}" for name, value in parameters.items())
    return f"postgresql://postgres@{','.join(hosts)}/{urlsplit(database_url).path[1:]}?{query}"


class Door:
    """A way to PostgreSQL over TCP, which can be shut, so that whoever has come through it is cut off.

    `certificate`: the server encrypts with it, and takes nobody who does not want that.
    """

    def __init__(self, database_url: str, certificate: Path | None = None) -> None:
        self._socket_file = socket_of(database_url)
        self._certificate = certificate
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[Door]:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            self.shut()

    def shut(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            startup = await self._startup(reader, writer)
            if startup is not None:
                await self._pass_on(startup, reader, writer)
        writer.close()

    async def _startup(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes | None:
        encrypted = False
        while True:
            length = await reader.readexactly(4)
            rest = await reader.readexactly(int.from_bytes(length) - 4)
            if rest == SSL_REQUEST:
                writer.write(b"S" if self._certificate else b"N")
                if self._certificate:
                    encrypted = await self._encrypt(writer)
            elif self._certificate and not encrypted:
                writer.write(b"E" + (len(NOT_ENCRYPTED) + 4).to_bytes(4) + NOT_ENCRYPTED)
                return None
            else:
                return length + rest

    async def _encrypt(self, writer: asyncio.StreamWriter) -> bool:
        plain = writer.transport
        try:
            await writer.start_tls(self._context())
        finally:
            if writer.transport is None:  # so Python leaves it where the client has hung up
                writer._transport = plain
        return True

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        assert self._certificate is not None
        context.load_cert_chain(self._certificate, self._certificate.with_suffix(".key"))
        return context

    async def _pass_on(self, startup: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs = await asyncio.open_unix_connection(self._socket_file)
        self._writers.add(theirs[1])
        theirs[1].write(startup)
        await asyncio.gather(_relay(reader, theirs[1]), _relay(theirs[0], writer))


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while some := await reader.read(65536):
            writer.write(some)
    writer.close()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the server's certificate, for `localhost`, and one of somebody else's."""
    folder = tmp_path_factory.mktemp("certificates")
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("there is no openssl to make certificates with")
    for name in ("server", "other"):
        made = ["-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.crt", "-days", "2", "-subj", f"/CN={name}"]
        kind = ["-x509", "-newkey", "rsa:2048", "-nodes", "-addext", "subjectAltName=DNS:localhost"]
        subprocess.run([program, "req", *kind, *made], check=True, capture_output=True)
    return folder


@pytest.mark.parametrize(
    ("host", "parameters", "refused"),
    [
        ("localhost", {}, None),
        ("localhost", {"sslmode": "require"}, None),
        ("127.0.0.1", {"sslmode": "verify-ca", "sslrootcert": "server.crt"}, None),
        ("localhost", {"sslmode": "verify-full", "sslrootcert": "server.crt"}, None),
        ("localhost", {"sslmode": "disable"}, ("login", "no encryption")),
        ("127.0.0.1", {"sslmode": "verify-full", "sslrootcert": "server.crt"}, ("certificate", "IP address mismatch")),
        ("localhost", {"sslmode": "verify-ca", "sslrootcert": "other.crt"}, ("certificate", "verify failed")),
        ("localhost", {"sslmode": "require", "sslrootcert": "other.crt"}, ("certificate", "verify failed")),
        ("localhost", {"sslmode": "verify-full", "sslrootcert": "none.crt"}, ("server", "No such file")),
        ("localhost", {"sslmode": "sometimes"}, ("server", "must be one of: disable, allow, prefer, require, verify")),
    ],
)
async def test_the_tls_modes_mean_what_they_mean_to_psql(
    database_url: str, certificates: Path, host: str, parameters: dict[str, str], refused: tuple[str, str] | None
) -> None:
    if "sslrootcert" in parameters:
        parameters = parameters | {"sslrootcert": str(certificates / parameters["sslrootcert"])}
    async with Door(database_url, certificates / "server.crt").open() as door:
        database = Database(at(database_url, f"{host}:{door.port}", **parameters))
        if refused is None:
            async with database.transaction(NOW) as tx:
                assert (await tx.run("select count(*) from public.tickets")).scalar_one() == 0
        else:
            missing, says = refused
            with pytest.raises(DatabaseAway, match=says) as failed:
                await database.connect()
            assert examination.what_is_missing(failed.value) == missing
        await database.close()


async def test_a_server_that_does_not_encrypt_is_refused_where_encryption_is_required(database_url: str) -> None:
    async with Door(database_url).open() as door:
        for mode, taken in (("prefer", True), ("disable", True), ("require", False)):
            database = Database(at(database_url, f"localhost:{door.port}", sslmode=mode))
            with contextlib.nullcontext() if taken else pytest.raises(DatabaseAway, match="SSL"):
                (await database.connect()).terminate()
            await database.close()


class SessionPooler(Pooler):
    """A pooler in session mode: a client has one session for as long as it is connected, and it is the next one's after
    that, with everything of the former gone: https://www.pgbouncer.org/config.html#server_reset_query"""

    greeting = b""
    handed_on = 0

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        startup = await self._startup(reader, writer)
        theirs = await self._session(startup)
        writer.write(self.greeting)
        answering = asyncio.create_task(_relay(theirs[0], writer))
        said = b""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while (said := await _message(reader))[:1] != b"X":
                theirs[1].write(said)
        answering.cancel()
        await asyncio.wait([answering])
        if said[:1] == b"X":
            self._free.append(theirs)
        else:
            theirs[1].close()
        writer.close()

    async def _session(self, startup: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._free:
            theirs = self._free.pop()
            theirs[1].write(b"Q" + (16).to_bytes(4) + b"DISCARD ALL\0")
            await self._said_by(theirs[0])
            self.handed_on += 1
            return theirs
        theirs = await asyncio.open_unix_connection(self._socket_file)
        self._all.append(theirs[1])
        theirs[1].write(startup)
        self.greeting = await self._said_by(theirs[0])
        return theirs

    async def _said_by(self, reader: asyncio.StreamReader) -> bytes:
        """What the server says until it is ready."""
        said = message = await _message(reader)
        while message[:1] != b"Z":
            message = await _message(reader)
            said += message
        return said


async def test_a_desk_works_behind_a_pooler_that_keeps_sessions(
    world: World, database_url: str, sql: asyncpg.Connection
) -> None:
    async with SessionPooler(socket_of(database_url)).open() as pooler:
        url = at(database_url, f"127.0.0.1:{pooler.port}", sslmode="disable")
        for n in range(2):
            async with open_office(world, url, sql) as office:
                await world.ada.post(world.help, f"Question {n}")
                await office.at_rest()
                assert f"Question {n}" in office.card(n + 1).text
        assert isinstance(pooler, SessionPooler)
        assert pooler.handed_on > 2


async def test_when_another_server_takes_over_no_message_is_lost(
    world: World, database_url: str, sql: asyncpg.Connection
) -> None:
    async with Door(database_url).open() as first, Door(database_url).open() as second:
        second.shut()
        url = at(database_url, f"127.0.0.1:{first.port}", f"127.0.0.1:{second.port}", sslmode="disable")
        async with open_office(world, url, sql) as office:
            await world.ada.post(world.help, "Before")
            await office.at_rest()
            first.shut()
            await world.ada.post(world.help, "Meanwhile")
            await world.bob.post(world.help, "Meanwhile too")
            async with second.open():
                await world.ada.post(world.help, "After")
                await office.at_rest()
                found = await sql.fetch("select title from tickets")
                assert sorted(row["title"] for row in found) == ["After", "Before", "Meanwhile", "Meanwhile too"]
                cards = [one.text for one in office.sandbox.messages(world.triage) if one.text.startswith("#")]
                assert len(cards) == 4


async def test_a_server_that_is_a_standby_by_now_is_left_for_the_one_that_took_over(database_url: str) -> None:
    database = Database(database_url, connections=1)
    async with database.transaction(NOW) as tx:
        await tx.run("set session characteristics as transaction read only")
    with pytest.raises(DatabaseAway, match="read-only"):
        async with database.transaction(NOW) as tx:
            await tx.run("insert into threadesk.acted values ('once')")
    async with database.transaction(NOW) as tx:
        await tx.run("insert into threadesk.acted values ('once')")
    await database.close()
