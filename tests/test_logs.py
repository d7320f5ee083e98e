"""The log of the program as it is run, at its default level: JSON, with a reference, and nobody's words in it."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from tests.conftest import World
from tests.test_app import desk, until

#: What nobody but the people in the channel should read.
WORDS = "xylophone"
ADDRESS = "private.person@secret.example"
SIGNATURE = "v0=5257a869e7ecebeda32affa62cdca3fa51cad7e77a0e56ff536d0ce8e108d8bd"
SAID = f"The {WORDS} of {ADDRESS} is broken"


def lines(output: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.decode().splitlines()]


async def script(code: str, folder: Path) -> tuple[list[dict[str, Any]], str]:
    """What a program that logs as the desk does wrote: lines, and everything in one piece."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", code),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert errors == b""
    return lines(output), output.decode()


async def test_an_eventful_day_leaves_no_words_no_addresses_and_no_secrets_in_the_log(
    world: World, database_url: str, postgres: str, sql: asyncpg.Connection, tmp_path: Path
) -> None:
    sandbox, name = world.sandbox, await sql.fetchval("select current_database()")
    await sql.execute(
        """
        create function quote() returns trigger language plpgsql as $$ begin
          raise exception using errcode = '22000', message = to_jsonb(new)::text, detail = to_jsonb(new)::text;
        end $$;
        create trigger quotes before update on tickets
          for each row when (new.title like '%quoted') execute function quote();
        """
    )
    async with desk(world, tmp_path, database_url, SLACK_CALL_SECONDS="1") as process:
        url = sandbox.slack.request_url.urls[0].rpartition("/slack/events")[0]
        await world.ada.post(world.help, SAID)
        root = await world.bob.post(world.help, SAID)

        async def shown() -> bool:
            return await sql.fetchval("select count(*) from tickets") == 2 and not await sql.fetchval(
                "select exists (select from threadesk.to_show)"
            )

        await until(shown)
        await world.grace.command("/ticket", f"note 1 {SAID}", channel=world.triage)
        await world.grace.command("/ticket", f"mumble {SAID}", channel=world.triage)
        told = await world.grace.command("/ticket", f"title 1 {SAID} quoted", channel=world.triage)

        # Not Slack, or not to be read.
        async with aiohttp.ClientSession() as http:
            for headers in ({"X-Slack-Signature": SIGNATURE, "X-Slack-Request-Timestamp": str(int(time.time()))}, {}):
                body = json.dumps({"type": "event_callback", "event": {"type": "message", "text": SAID}}).encode()
                async with http.post(f"{url}/slack/events", data=body, headers=headers) as answer:
                    assert answer.status == 401
            garbled = f"payload=%7B{SAID}".encode()
            async with http.post(f"{url}/slack/events", data=garbled, headers=sandbox.sign(garbled)) as answer:
                assert answer.status == 400
            strange = json.dumps({"type": "event_callback", "event": {"type": "strange", "text": SAID}}).encode()
            signed = sandbox.sign(strange) | {"Content-Type": "application/json"}
            async with http.post(f"{url}/slack/events", data=strange, headers=signed) as answer:
                assert answer.status == 404

        # Slack in trouble, then not willing.
        sandbox.disrupt("chat.postMessage", "http_500")
        sandbox.disrupt("chat.postMessage", "cut_after")
        await world.bob.post(world.help, f"And the {WORDS} too", thread_ts=root.ts)
        await until(shown)
        await world.grace.command("/ticket", f"reply 1 {SAID}", channel=world.triage)
        world.help.archived = True  # and Slack does not tell of it
        await world.grace.command("/ticket", f"reply 2 {SAID}", channel=world.triage)

        # The database goes away in the middle of it.
        administrator = await asyncpg.connect(postgres)
        mine = await sql.fetchval("select pg_backend_pid()")
        await administrator.execute(f"alter database {name} allow_connections false")
        await administrator.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and pid <> $2", name, mine
        )
        away = await world.grace.command("/ticket", f"note 1 {SAID}", channel=world.triage)
        await administrator.execute(f"alter database {name} allow_connections true")
        await administrator.close()
        # The courier stumbles over what it is to record.
        await sql.execute(
            "create trigger quotes before update on threadesk.posted for each row execute function quote()"
        )
        await world.grace.command("/ticket", f"note 1 {SAID}", channel=world.triage)

        async def stumbled() -> bool:
            return bool(await sql.fetchval("select exists (select from threadesk.to_show where attempts > 0)"))

        await until(stumbled)
        process.terminate()
        output, errors = await asyncio.wait_for(process.communicate(), 20)
        assert process.returncode == 0
    world.sandbox.deliver_to(None)

    written = output.decode() + errors.decode()
    for hidden in (WORDS, ADDRESS, "@globex.example", sandbox.bot_token, sandbox.signing_secret, "v0=", "xoxb-"):
        assert hidden not in written, hidden
    assert errors == b""
    log = lines(output)
    assert log[0]["event"] == "the desk is open"
    assert log[0]["version"]
    assert log[-1]["event"] == "the desk is closed"
    happened = {one["event"] for one in log}
    assert happened >= {
        "unexpected error",
        "Slack gave no clear answer",
        "Slack refused a message",
        "the database cannot be reached",
        "the courier could not serve a lane",
    }, happened
    assert "cannot reach its database" in str(vars(away))
    assert "Something went wrong" in str(vars(told))
    reference = re.search(r"reference: ([0-9a-f]{8})", str(vars(told)))
    assert reference is not None
    (unexpected,) = [one for one in log if one.get("request") == reference[1] and one["level"] == "error"]
    assert "sqlstate 22000" in unexpected["exception"]
    assert "work.py" in unexpected["exception"]
    stumbles = [one for one in log if one["event"] == "the courier could not serve a lane"]
    assert all(one["lane"] and one["ticket"] for one in stumbles)
    assert not any("request" in one for one in stumbles)


async def test_errors_that_nobody_waits_for_are_told_without_what_they_quote(tmp_path: Path) -> None:
    log, written = await script(
        f"""
import asyncio, gc, logging, warnings
from bot import logs
from pydantic import BaseModel
from slack_sdk.errors import SlackApiError
class Form(BaseModel):
    number: int
async def wrong():
    Form.model_validate({{"number": {SAID!r}}})
async def wronger():
    try:
        raise KeyError({SAID!r})
    except KeyError as error:
        raise SlackApiError({SAID!r}, None) from error
async def main():
    logs.watch(asyncio.get_running_loop())
    tasks = [asyncio.create_task(wrong(), name={SAID!r}), asyncio.create_task(wronger())]
    await asyncio.wait(tasks)
    del tasks
    gc.collect()
logs.set_up("INFO", hide=["0123456789abcdef"])
asyncio.run(main())
class Dropped:
    def __del__(self):
        raise ValueError({SAID!r})
Dropped()
logging.getLogger("aiohttp.server").error("Error handling request\\n%s", {SAID!r}, exc_info=ValueError({SAID!r}))
logging.getLogger("slack_bolt.AsyncApp").info("body: %s", {SAID!r})
logging.getLogger("slack_sdk").error("secret 0123456789abcdef token xoxb-1-a-b xapp-1-A1-b {ADDRESS} {SIGNATURE}"
    " postgresql://desk:hidden@db.example/desk https://hooks.slack.com/commands/T1/2/abc")
raise RuntimeError({SAID!r})
""",
        tmp_path,
    )
    assert WORDS not in written
    assert ADDRESS not in written
    told = [one.get("exception", "").splitlines()[-1] if one.get("exception") else one["event"] for one in log]
    assert sorted(told[:2]) + told[2:] == [
        "pydantic_core._pydantic_core.ValidationError: int_parsing at number",
        "slack_sdk.errors.SlackApiError",
        "builtins.ValueError",
        "builtins.ValueError",
        "secret … token … … … … postgresql://…@db.example/desk …",
        "builtins.RuntimeError",
    ]
    assert "builtins.KeyError" in str(log[:2])
    assert log[-1]["level"] == "critical"


async def test_at_debug_an_error_is_told_in_its_own_words_but_never_with_secrets(tmp_path: Path) -> None:
    log, _ = await script(
        """
import structlog
from bot import logs
logs.set_up("DEBUG", hide=["hidden"])
try:
    raise ValueError("what it is about: hidden")
except ValueError:
    structlog.get_logger().exception("it failed")
""",
        tmp_path,
    )
    assert log[0]["exception"].splitlines()[-1] == "ValueError: what it is about: …"
