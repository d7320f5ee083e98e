"""The sandbox as a program of its own: a small ready workspace to try the desk in."""

import asyncio
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from bot.sandbox.control import Control
from bot.sandbox.sandbox import Sandbox
from bot.sandbox.workspace import Channel


class CannotServe(Exception):  # noqa: N818 - a sentence for the person who starts it
    """Why the sandbox does not start."""


async def serve(port: int, request_url: str | None, manifest: Path, speed: float) -> None:
    """Run a workspace on 127.0.0.1 until cancelled; port 0 takes a free one. Delivers to ``request_url``, or over
    Socket Mode where there is none.

    Prints what the desk needs in its environment. What people do comes over HTTP: GET ``/sandbox/``.
    """
    try:
        sandbox = Sandbox(manifest, speed, port)
    except OSError as error:
        raise CannotServe(f"--manifest: cannot read {manifest}: {_why(error)}") from None
    Control(sandbox)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(sandbox.stop)
        try:
            await sandbox.start()
        except OSError as error:
            raise CannotServe(f"--port: cannot listen on 127.0.0.1:{port}: {_why(error)}") from None
        if request_url is None:
            sandbox.deliver_over_sockets()
        else:
            sandbox.deliver_to(request_url)
        triage, support = await furnish(sandbox)
        sys.stdout.write(environment(sandbox, triage, support))
        sys.stdout.flush()
        await asyncio.Event().wait()


def _why(error: OSError) -> str:
    return str(error.strerror).rpartition(": ")[2]


async def furnish(sandbox: Sandbox) -> tuple[Channel, Channel]:
    """Agents Grace and Linus in a private #triage; Ada and Bob of Globex in the shared #help-globex."""
    globex = sandbox.add_team("Globex")
    grace = sandbox.add_person("Grace Hopper", email="grace@acme.example", admin=True, title="Support lead")
    linus = sandbox.add_person("Linus Pauling", email="linus@acme.example", title="Support")
    ada = sandbox.add_person("Ada Lovelace", team=globex)
    bob = sandbox.add_person("Bob Noyce", email="bob@globex.example", team=globex)
    agents = [grace, linus, sandbox.bot]
    triage = await sandbox.add_channel("triage", private=True, members=agents)
    support = await sandbox.add_channel("help-globex", shared_with=[globex], members=[*agents, ada, bob])
    return triage, support


def environment(sandbox: Sandbox, triage: Channel, support: Channel) -> str:
    way_in = f"APP_TOKEN={sandbox.app_token}" if sandbox.in_socket_mode else f"SIGNING_SECRET={sandbox.signing_secret}"
    return (
        f"SLACK_API_URL={sandbox.api_url}\n"
        f"SLACK_BOT_TOKEN={sandbox.bot_token}\n"
        f"SLACK_{way_in}\n"
        f"TRIAGE_CHANNEL={triage.id}\n"
        f"SUPPORT_CHANNELS={support.id}\n"
        f"# What people can do: curl {sandbox.url}/sandbox/\n"
    )
