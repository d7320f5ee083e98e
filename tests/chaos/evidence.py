"""What a campaign that has found something leaves behind: every row, call and delivery, to trace a message by."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import asyncpg

from bot.sandbox import Sandbox


async def keep(sandbox: Sandbox, sql: asyncpg.Connection, file: Path) -> None:
    """`file` gets {"tables": {table: [row]}, "calls": [call], "deliveries": [delivery]}, times in Unix seconds."""
    ours = "select format('%I.%I', schemaname, tablename) from pg_tables where schemaname = 'threadesk'"
    tables: dict[str, Any] = {}
    for (name,) in [*await sql.fetch(ours), ("public.tickets",)]:
        rows = await sql.fetch(f"select *, pg_xact_commit_timestamp(xmin) as committed_at from {name}")
        tables[name] = [dict(row) for row in rows]
    calls = [{"at": one.at, "method": one.method, "args": one.args, "response": one.response} for one in sandbox.calls]
    deliveries = [
        {"at": one.at, "retry": one.retry, "acknowledged": one.acknowledged, "ms": one.ms, "payload": one.payload}
        for one in sandbox.deliveries
    ]
    kept = {"tables": tables, "calls": calls, "deliveries": deliveries}
    await asyncio.to_thread(file.write_text, json.dumps(kept, default=str))
