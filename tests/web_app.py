"""Another program on the same database: it has a role of its own, plain SQL, and no right on the desk's schema."""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from tests.conftest import other_program

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
#: What README.md's "Other programs" shows, in its order; the first is for the owner of the tables.
EXAMPLES = re.findall(
    r"```sql\n(.*?)```", README.partition("\n## Other programs\n")[2].partition("\n## ")[0], re.DOTALL
)

NEW_CUSTOMER = """
with person as (insert into auth.users (id) values ($1) returning id)
insert into customers (id, first_name, last_name, email)
select id, split_part($2, ' ', 1), split_part($2, ' ', 2), $3 from person
"""
NEW_TICKET = """
insert into tickets (title, description, status, priority, source_channel, created_by, customer_email,
  conversation_history)
values ($2, $2, 'new', 'medium', $4, $1, $3, jsonb_build_object('messages', jsonb_build_array(jsonb_build_object(
  'id', gen_random_uuid(), 'content', $2::text, 'created_at', clock_timestamp(), 'created_by', $1::uuid,
  'attachments', '[]'::jsonb))))
returning id
"""
APPEND = """
update tickets set status = coalesce($4, status),
  conversation_history = jsonb_set(conversation_history, '{messages}', conversation_history -> 'messages' ||
    jsonb_build_object('id', gen_random_uuid(), 'content', $3::text, 'created_at', clock_timestamp(),
      'created_by', $2::uuid, 'attachments', '[]'::jsonb))
where id = $1
"""
RATE = """
update tickets set feedback = jsonb_build_object('rating', $2::int, 'comment', null, 'submitted_at', now())
where id = $1
"""


@dataclass
class WebApp:
    """Customers write in it, and its own staff answers."""

    sql: asyncpg.Connection
    staff: UUID
    role: str

    async def customer(self, name: str, email: str) -> UUID:
        await self.sql.execute(NEW_CUSTOMER, customer := uuid4(), name, email)
        return customer

    async def open(self, customer: UUID, email: str, words: str, source_channel: str = "web") -> UUID:
        made = await self.sql.fetchval(NEW_TICKET, customer, words, email, source_channel)
        assert isinstance(made, UUID)
        return made

    async def append(self, ticket: UUID, author: UUID, words: str, status: str | None = None) -> None:
        await self.sql.execute(APPEND, ticket, author, words, status)

    async def rate(self, ticket: UUID, rating: int) -> None:
        await self.sql.execute(RATE, ticket, rating)

    async def set(self, ticket: UUID, **columns: Any) -> None:
        for name, value in columns.items():
            await self.sql.execute(f"update tickets set {name} = $2 where id = $1", ticket, value)


def for_role(role: str, example: str) -> str:
    """A README example, in which the role is called `web`."""
    return re.sub(r"\bweb\b", role, example)


@asynccontextmanager
async def web_app(database_url: str, owner: asyncpg.Connection) -> AsyncIterator[WebApp]:
    """Its role has the rights that README.md gives it."""
    role = f"web_{secrets.token_hex(4)}"
    await owner.execute(for_role(role, EXAMPLES[0]))
    async with other_program(database_url, user=role) as sql:
        await sql.execute("insert into auth.users (id) values ($1)", staff := uuid4())
        yield WebApp(sql, staff, role)
    await owner.execute(f"drop owned by {role}; drop role {role}")
