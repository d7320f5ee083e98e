"""Tables that were there before the desk: whether it can work on them, what holds of their rows, and what does not.

No row, policy or column of theirs is ever changed. What every row agrees with, the database sees to from then on.
"""

from __future__ import annotations

from dataclasses import dataclass

from migrations.guards import GUARDS, Guard
from storage import rights
from storage.engine import Database, Session, telling_away

#: The ticket schema's columns. `auth.users` has at least its id.
COLUMNS: dict[str, dict[str, str]] = {
    "public.tickets": {
        "id": "uuid",
        "title": "text",
        "description": "text",
        "status": "text",
        "priority": "text",
        "tags": "text[]",
        "custom_fields": "jsonb",
        "conversation_history": "jsonb",
        "internal_notes": "jsonb",
        "feedback": "jsonb",
        "source_channel": "text",
        "created_at": "timestamp with time zone",
        "updated_at": "timestamp with time zone",
        "created_by": "uuid",
        "customer_email": "text",
        "assigned_to": "uuid[]",
    },
    "public.customers": {
        "id": "uuid",
        "first_name": "text",
        "last_name": "text",
        "communication_channels": "text[]",
        "preferred_language": "text",
        "email": "text",
        "feedback_history": "jsonb",
    },
    "auth.users": {"id": "uuid"},
}
#: A column of text without a limit is as good.
SAME = {"character varying": "text", "character varying[]": "text[]"}
#: What other tables refer to.
KEYS = (("public.tickets", "id"), ("public.customers", "id"), ("public.customers", "email"), ("auth.users", "id"))
#: What the desk leaves out where it is not known: of people without an e-mail, or who were erased.
UNKNOWN = {"public.tickets": ("created_by", "customer_email"), "public.customers": ("preferred_language",)}
#: How many of the rows that are not as they should be are named.
NAMED = 5


@dataclass(frozen=True, slots=True)
class Failing:
    """Rows of a table in `public` for which a guard is not put up. `ids`: the first of them, as text."""

    table: str
    guard: str
    says: str
    count: int
    ids: tuple[str, ...]

    def __str__(self) -> str:
        rows = "1 row" if self.count == 1 else f"{self.count} rows"
        more = ", …" if self.count > len(self.ids) else ""
        return f"public.{self.table}: in {rows} {self.says} (id {', '.join(self.ids)}{more})"


async def obstacles(one: Session) -> list[str]:
    """Why the desk cannot work on the tables that are there, in sentences; it has made none yet."""
    found = []
    for table, columns in COLUMNS.items():
        kind = await one.fetchval("select relkind::text from pg_class where oid = to_regclass($1)", table)
        if kind is None:
            continue
        if kind not in {"r", "p"}:
            found.append(f"{table} is no table.")
            continue
        has = await _columns(one, table)
        for column, wanted in columns.items():
            if column not in has:
                found.append(f"{table} has no column {column}, which should be of type {wanted}.")
            elif SAME.get(has[column], has[column]) != wanted:
                found.append(f"{table}.{column} is of type {has[column]}, and the desk needs {wanted}.")
        for of, column in KEYS:
            if of == table and column in has and not await _is_unique(one, table, column):
                found.append(f"{table}.{column} is not unique, and other tables are to refer to it.")
        found += [
            f"{table}.{column} must be given by whoever adds a row, and the desk does not know it: give it a default."
            for column in await _asked_for(one, table)
            if column not in columns and table.startswith("public.")
        ]
        found += [
            f"{table}.{column} may not be null, and the desk does not know it of everybody: drop its NOT NULL."
            for column in await _never_null(one, table)
            if column in UNKNOWN.get(table, ())
        ]
        if table.startswith("public.") and not await _is_owner(one, table):
            found.append(f"{table} belongs to another role, and only its owner can add triggers and CHECKs to it.")
    return found


async def _columns(one: Session, table: str) -> dict[str, str]:
    found = await one.fetch(
        "select attname, format_type(atttypid, atttypmod) as type from pg_attribute"
        " where attrelid = $1::text::regclass and attnum > 0 and not attisdropped",
        table,
    )
    return {row["attname"]: row["type"] for row in found}


async def _asked_for(one: Session, table: str) -> list[str]:
    """Columns that may not be null and that nothing fills in; where a trigger may, none."""
    found = await one.fetch(
        """
        select attname from pg_attribute
        where attrelid = $1::text::regclass and attnum > 0 and not attisdropped
          and attnotnull and not atthasdef and attidentity = '' and not exists (
            -- BEFORE INSERT, of a row: https://github.com/postgres/postgres/blob/master/src/include/catalog/pg_trigger.h
            select from pg_trigger where tgrelid = attrelid and not tgisinternal and tgtype & 7 = 7)
        order by attnum
        """,
        table,
    )
    return [row["attname"] for row in found]


async def _never_null(one: Session, table: str) -> list[str]:
    found = await one.fetch(
        "select attname from pg_attribute where attrelid = $1::text::regclass and attnum > 0 and attnotnull"
        " and not attisdropped order by attnum",
        table,
    )
    return [row["attname"] for row in found]


async def _is_unique(one: Session, table: str, column: str) -> bool:
    return bool(
        await one.fetchval(
            """
            select exists (select from pg_index i join pg_attribute a on a.attrelid = i.indrelid
              and a.attnum = i.indkey[0]
              where i.indrelid = $1::text::regclass and a.attname = $2 and i.indisunique and i.indnkeyatts = 1
                and i.indpred is null)
            """,
            table,
            column,
        )
    )


async def _is_owner(one: Session, table: str) -> bool:
    return bool(
        await one.fetchval("select pg_has_role(relowner, 'usage') from pg_class where oid = to_regclass($1)", table)
    )


async def settle(one: Session) -> None:
    """Puts up the guards with which every row agrees. Nothing where the role may not."""
    for table in await _adopted(one):
        if not await _is_owner(one, f"public.{table}"):
            continue
        for guard in GUARDS:
            if guard.table == table and not await _is_up(one, guard) and not await _is_broken(one, guard):
                await one.execute(guard.do)
                await one.execute(
                    "update threadesk.adopted set undo = undo || $2::text where name = $1", table, guard.undo
                )


async def failing(database: Database) -> list[Failing]:
    """The rows for whose sake a guard is not put up, by guard; none of those about which this role cannot tell, since
    row-level security hides others from it. DatabaseAway where it cannot be reached."""
    one = await database.connect()
    try:
        with telling_away():
            adopted, unseen = await _adopted(one), {each.table for each in await rights.hidden(one)}
            told = [guard for guard in GUARDS if guard.table in adopted and guard.reads not in unseen]
            lacking = [guard for guard in told if not await _is_up(one, guard)]
            return [found for guard in lacking if (found := await _failing(one, guard)) is not None]
    finally:
        one.terminate()


async def _adopted(one: Session) -> list[str]:
    # The first: the other's guards are looked into by means of its indexes.
    found = await one.fetch("select name from threadesk.adopted order by name desc")
    return [row["name"] for row in found]


async def _is_up(one: Session, guard: Guard) -> bool:
    return bool(await one.fetchval(f"select exists ({guard.there})"))


async def _is_broken(one: Session, guard: Guard) -> bool:
    return guard.condition is not None and bool(await one.fetchval(f"select exists (select {_wrong(guard)})"))


def _wrong(guard: Guard) -> str:
    return f"from public.{guard.table} where ({guard.condition}) is false"


async def _failing(one: Session, guard: Guard) -> Failing | None:
    if guard.condition is None:
        return None
    count = int(await one.fetchval(f"select count(*) {_wrong(guard)}"))
    if not count:
        return None
    ids = await one.fetch(f"select id::text {_wrong(guard)} order by id limit {NAMED}")
    return Failing(guard.table, guard.name, guard.says, count, tuple(row["id"] for row in ids))
