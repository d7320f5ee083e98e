"""Processes under measurement, each on a port of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp

PATIENCE_SECONDS = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.asynccontextmanager
async def process(*arguments: str, **environment: str) -> AsyncIterator[Process]:
    """`python -m ARGUMENTS`, ended with SIGTERM."""
    child = await asyncio.create_subprocess_exec(sys.executable, "-m", *arguments, env=os.environ | environment)
    try:
        yield child
    finally:
        if child.returncode is None:
            child.terminate()
        await child.wait()


async def answered(child: Process, url: str) -> float:
    """Waits until a GET of the URL is answered with 200; the seconds that it took."""
    began = time.perf_counter()
    async with asyncio.timeout(PATIENCE_SECONDS), aiohttp.ClientSession() as session:
        while True:
            if child.returncode is not None:
                raise RuntimeError(f"the process for {url} ended with {child.returncode}")
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(url) as response:
                    if response.status == 200:
                        return time.perf_counter() - began
            await asyncio.sleep(0.005)


async def asked(module: str, question: Mapping[str, Any]) -> Any:
    """What `python -m MODULE` answers on its standard output to what it is asked on its standard input, as JSON."""
    child = await asyncio.create_subprocess_exec(sys.executable, "-m", module, stdin=PIPE, stdout=PIPE)
    said, _ = await child.communicate(json.dumps(question).encode())
    if child.returncode:
        raise RuntimeError(f"{module} ended with {child.returncode}")
    return json.loads(said)


async def resident_mb(child: Process) -> float:
    """A process's resident memory in MiB."""
    ps = await asyncio.create_subprocess_exec("ps", "-o", "rss=", "-p", str(child.pid), stdout=PIPE)
    said, _ = await ps.communicate()
    return int(said) / 1024
