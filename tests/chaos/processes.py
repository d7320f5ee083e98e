"""What the campaign kills: replicas of the desk, and the PostgreSQL that they share."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import aiohttp
import asyncpg

from storage import migrate
from storage.embedded import EmbeddedPostgres
from storage.engine import Database
from tests.bench.processes import free_port

#: When each row was committed tells in which order the desk heard of messages.
SETTINGS = {"track_commit_timestamp": "on"}


class Replica:
    """`python -m bot run`, again and again on one port, as a supervisor keeps it running."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self.port = free_port()
        self.failed_starts = 0
        self.log = log
        self._environment = os.environ | dict(environment) | {"PORT": str(self.port)}
        self._child: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Returns when Slack can reach it, however often it has to be started."""
        while not await self._came_up():
            self.failed_starts += 1

    async def _came_up(self) -> bool:
        with self.log.open("ab") as log:
            self._child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "bot", "run", "--no-migrate"), env=self._environment, stdout=log, stderr=log
            )
        while not await self._is_up():
            if self._child.returncode is not None:
                return False
            await asyncio.sleep(0.05)
        return True

    async def kill(self) -> None:
        assert self._child is not None
        assert self._child.returncode is None, "the desk was gone before it was killed"
        self._child.kill()
        await self._child.wait()

    async def stop(self) -> None:
        """Ends it as whoever runs it would."""
        if self._child is not None and self._child.returncode is None:
            self._child.terminate()
            await self._child.wait()

    async def _is_up(self) -> bool:
        """Whether it listens or, in Socket Mode, has a connection open."""
        page = "readyz" if "SLACK_APP_TOKEN" in self._environment else "healthz"
        with suppress(aiohttp.ClientError):
            async with aiohttp.ClientSession() as session, session.get(f"{self.url}/{page}") as answer:
                return bool((await answer.json()).get("socket", True))
        return False


class Postgres:
    """A server that waits for the disk at every commit."""

    def __init__(self, folder: Path) -> None:
        self.url = ""
        self._server = EmbeddedPostgres(folder, settings=SETTINGS)
        self._data = folder

    async def set_up(self) -> None:
        """Starts it, with the desk's tables and nothing in them."""
        await self.start()
        database = Database(self.url)
        await migrate.upgrade(database)
        await database.close()
        sql = await asyncpg.connect(self.url)
        self._data = Path(await sql.fetchval("show data_directory"))
        await sql.close()

    async def start(self) -> None:
        self.url = await asyncio.to_thread(self._server.start)

    async def kill(self) -> None:
        """Ends the server and all its children at once, as the loss of the machine would."""
        server = int(await asyncio.to_thread(self._first_line, self._data / "postmaster.pid"))
        ps = await asyncio.create_subprocess_exec("ps", "-o", "pid=", "--ppid", str(server), stdout=subprocess.PIPE)
        children, _ = await ps.communicate()
        for process in [server, *map(int, children.split())]:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    async def remove(self) -> None:
        await asyncio.to_thread(self._server.remove)

    @staticmethod
    def _first_line(file: Path) -> str:
        return file.read_text().splitlines()[0]
