"""The user's tables are what ticket-schema.md says, and the database itself refuses what it does not say."""

import datetime as dt
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

#: ticket-schema.md, table by table: each column with its type, and whether it is required.
TABLES = {
    "tickets": [
        ("id", "uuid", True),
        ("title", "text", True),
        ("description", "text", True),
        ("status", "text", True),
        ("priority", "text", True),
        ("tags", "text[]", False),
        ("custom_fields", "jsonb", False),
        ("conversation_history", "jsonb", False),
        ("internal_notes", "jsonb", False),
        ("feedback", "jsonb", False),
        ("source_channel", "text", False),
        ("created_at", "timestamp with time zone", True),
        ("updated_at", "timestamp with time zone", True),
        ("created_by", "uuid", False),
        ("customer_email", "text", False),
        ("assigned_to", "uuid[]", False),
    ],
    "customers": [
        ("id", "uuid", True),
        ("first_name", "text", True),
        ("last_name", "text", True),
        ("communication_channels", "text[]", False),
        ("preferred_language", "text", False),
        ("email", "text", True),
        ("feedback_history", "jsonb", False),
    ],
    "users": [("id", "uuid", True)],
}
KEYS = {
    ("customers", "FOREIGN KEY (id) REFERENCES auth.users(id)"),
    ("customers", "PRIMARY KEY (id)"),
    ("customers", "UNIQUE (email)"),
    ("tickets", "FOREIGN KEY (created_by) REFERENCES auth.users(id)"),
    ("tickets", "FOREIGN KEY (customer_email) REFERENCES customers(email) ON UPDATE CASCADE"),
    ("tickets", "PRIMARY KEY (id)"),
    ("users", "PRIMARY KEY (id)"),
}
NOT_LISTS: list[Any] = [None, "text", 1, [], {}, {"other": []}]
NOT_TEXT: list[Any] = [None, 1, True, [], ["text"], {}]
NOT_UUIDS: list[Any] = [*NOT_TEXT, "", "1", f"{uuid4()}0", f"{{{uuid4()}}}", f"{uuid4()}\n", [str(uuid4())]]
NOT_RATINGS: list[Any] = [None, 0, 6, -1, 4.5, "5", True, [5], {}, 1e300]

MESSAGE: dict[str, Any] = {
    "id": "5f0c1c1e-9a55-4c1b-8b1e-6d3a2c7f4e10",
    "content": "It burns",
    "created_at": "2026-11-02T09:00:00.000000+00:00",
    "created_by": "1f0c1c1e-9a55-4c1b-8b1e-6d3a2c7f4e10",
    "attachments": [],
}
NOTE = {key: value for key, value in MESSAGE.items() if key != "attachments"}
FEEDBACK = {"rating": 5, "comment": "Quick", "submitted_at": "2026-11-02T09:00:00+00:00"}
RATING = FEEDBACK | {"ticket_id": "5f0c1c1e-9a55-4c1b-8b1e-6d3a2c7f4e10"}


def without(element: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in element.items() if name != key}


def broken(element: dict[str, Any], values: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """The element without each of its keys, and with each wrong value in its place."""
    return [without(element, key) for key in values] + [
        element | {key: wrong} for key, wrongs in values.items() for wrong in wrongs
    ]


def lists(key: str, good: dict[str, Any], bad: list[dict[str, Any]]) -> list[Any]:
    """What a column that holds {key: [element]} must refuse: beside bad elements also what is no list of elements."""
    strangers: list[Any] = [None, 1, "text", [], [good]]
    return [
        *({key: wrong} for wrong in NOT_LISTS if wrong != []),
        *NOT_LISTS[1:],
        [{key: [good]}],
        *({key: [one]} for one in [*bad, *strangers]),
        *({key: [good, one]} for one in [*bad, *strangers]),
    ]


WORD: dict[str, list[Any]] = {"id": NOT_UUIDS, "content": NOT_TEXT, "created_at": NOT_TEXT, "created_by": NOT_TEXT[1:]}
RATED: dict[str, list[Any]] = {"rating": NOT_RATINGS, "comment": NOT_TEXT[1:], "submitted_at": NOT_TEXT}

BAD: dict[str, list[Any]] = {
    "conversation_history": lists("messages", MESSAGE, broken(MESSAGE, WORD | {"attachments": [None, "file", 1, {}]})),
    "internal_notes": lists("notes", NOTE, broken(NOTE, WORD)),
    "feedback": [1, "text", [], [FEEDBACK], {}, *broken(FEEDBACK, RATED)],
    "feedback_history": lists("feedback", RATING, broken(RATING, RATED | {"ticket_id": NOT_UUIDS})),
    "custom_fields": [1, "text", True, [], [{}]],
}
GOOD: dict[str, list[Any]] = {
    "conversation_history": [
        {"messages": []},
        {"messages": [MESSAGE, MESSAGE | {"id": str(uuid4()), "created_by": None}]},
        {"messages": [MESSAGE | {"id": MESSAGE["id"].upper(), "attachments": [{"id": "F1"}, {"id": "F2"}]}]},
        {"messages": [MESSAGE | {"created_at": "yesterday", "edited_at": "today", "earlier": [], "mine": [[1]]}]},
        {"messages": [MESSAGE], "more": 1},
    ],
    "internal_notes": [{"notes": []}, {"notes": [NOTE, NOTE | {"id": str(uuid4()), "created_by": None}]}],
    "feedback": [FEEDBACK | {"rating": rating} for rating in (1, 2, 3, 4, 5)] + [FEEDBACK | {"comment": None}],
    "feedback_history": [{"feedback": []}, {"feedback": [RATING, RATING | {"comment": None, "rating": 1}]}],
    "custom_fields": [{}, {"plan": "gold", "seats": [1, {"of": None}]}],
}


async def user(sql: asyncpg.Connection) -> UUID:
    made = await sql.fetchval("insert into auth.users default values returning id")
    assert isinstance(made, UUID)
    return made


async def ticket(sql: asyncpg.Connection, **columns: Any) -> UUID:
    values = {"title": "It burns", "description": "Badly", "status": "new", "priority": "high"} | columns
    places = ", ".join(f"${place}" for place in range(1, len(values) + 1))
    made = await sql.fetchval(
        f"insert into tickets ({', '.join(values)}) values ({places}) returning id", *values.values()
    )
    assert isinstance(made, UUID)
    return made


async def customer(sql: asyncpg.Connection, email: str = "ada@globex.example") -> UUID:
    who = await user(sql)
    await sql.execute(
        "insert into customers (id, first_name, last_name, email) values ($1, 'Ada', 'Lovelace', $2)", who, email
    )
    return who


async def set_value(sql: asyncpg.Connection, column: str, value: Any) -> str | None:
    """The name of the constraint that refused the value of the ticket or customer; None when it was taken."""
    table = "customers" if column == "feedback_history" else "tickets"
    try:
        await sql.execute(f"update {table} set {column} = $1", value)
    except asyncpg.CheckViolationError as error:
        return str(error.constraint_name)
    assert await sql.fetchval(f"select {column} from {table}") == value
    return None


async def test_columns_types_and_nullability(sql: asyncpg.Connection) -> None:
    found = await sql.fetch("""
        select c.relname, a.attname, format_type(a.atttypid, a.atttypmod) as type, a.attnotnull
        from pg_attribute a join pg_class c on c.oid = a.attrelid
        where c.oid in ('public.tickets'::regclass, 'public.customers'::regclass, 'auth.users'::regclass)
          and a.attnum > 0 and not a.attisdropped order by a.attnum
    """)
    assert {table: [tuple(row)[1:] for row in found if row["relname"] == table] for table in TABLES} == TABLES


async def test_keys(sql: asyncpg.Connection) -> None:
    found = await sql.fetch("""
        select c.relname, pg_get_constraintdef(k.oid) from pg_constraint k join pg_class c on c.oid = k.conrelid
        where k.contype in ('p', 'u', 'f')
          and c.oid in ('public.tickets'::regclass, 'public.customers'::regclass, 'auth.users'::regclass)
    """)
    assert {tuple(row) for row in found} == KEYS


async def test_nothing_else_of_ours_is_in_the_users_schemas(sql: asyncpg.Connection) -> None:
    found = await sql.fetch("""
        select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname in ('public', 'auth') and c.relkind in ('r', 'v', 'm', 'S', 'f', 'p')
    """)
    assert {row[0] for row in found} == {"public.tickets", "public.customers", "auth.users"}


async def test_json_of_the_right_shape_is_taken(sql: asyncpg.Connection) -> None:
    await ticket(sql)
    await customer(sql)
    for column, values in GOOD.items():
        assert [value for value in [*values, None] if await set_value(sql, column, value)] == []


async def test_json_of_a_wrong_shape_is_refused(sql: asyncpg.Connection) -> None:
    await ticket(sql)
    await customer(sql)
    for column, values in BAD.items():
        table = "customers" if column == "feedback_history" else "tickets"
        shape = f"{table}_{column}_shape"
        assert [value for value in values if await set_value(sql, column, value) != shape] == []
        with pytest.raises(asyncpg.CheckViolationError, match=shape):
            await sql.execute(f"update {table} set {column} = 'null'")


async def test_enumerations(sql: asyncpg.Connection) -> None:
    await ticket(sql)
    for value in ["new", "open", "pending", "closed"]:
        assert await set_value(sql, "status", value) is None
    for value in ["", "New", "solved", "closed "]:
        assert await set_value(sql, "status", value) == "tickets_status_known"
    for value in ["low", "medium", "high"]:
        assert await set_value(sql, "priority", value) is None
    for value in ["", "HIGH", "urgent"]:
        assert await set_value(sql, "priority", value) == "tickets_priority_known"


async def test_required_columns(sql: asyncpg.Connection) -> None:
    for column, _, required in TABLES["tickets"]:
        if required:
            with pytest.raises(asyncpg.NotNullViolationError):
                await ticket(sql, **{column: None})
        else:
            await ticket(sql, **{column: None})


async def test_references(sql: asyncpg.Connection) -> None:
    await ticket(sql, created_by=await user(sql))
    with pytest.raises(asyncpg.ForeignKeyViolationError, match="tickets_created_by_fkey"):
        await ticket(sql, created_by=uuid4())
    with pytest.raises(asyncpg.ForeignKeyViolationError, match="tickets_customer_email_fkey"):
        await ticket(sql, customer_email="nobody@globex.example")
    with pytest.raises(asyncpg.ForeignKeyViolationError, match="customers_id_fkey"):
        await sql.execute(
            "insert into customers (id, first_name, last_name, email) values ($1, 'A', 'B', 'a@b.example')", uuid4()
        )
    await customer(sql)
    with pytest.raises(asyncpg.UniqueViolationError, match="customers_email_key"):
        await customer(sql)


async def test_a_customers_new_email_reaches_their_tickets(sql: asyncpg.Connection) -> None:
    await customer(sql)
    await ticket(sql, customer_email="ada@globex.example")
    await sql.execute("update customers set email = 'ada@initech.example'")
    assert await sql.fetchval("select customer_email from tickets") == "ada@initech.example"


async def test_assignees_are_users_each_once(sql: asyncpg.Connection) -> None:
    grace, linus = await user(sql), await user(sql)
    await ticket(sql, assigned_to=[grace, linus])
    await sql.execute("update tickets set assigned_to = null")
    await sql.execute("update tickets set assigned_to = '{}'")
    for strangers in [[uuid4()], [grace, uuid4()], [grace, None]]:
        with pytest.raises(asyncpg.ForeignKeyViolationError, match="who is not in") as refused:
            await sql.execute("update tickets set assigned_to = $1", strangers)
        assert refused.value.constraint_name == "tickets_assigned_to_known"
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await ticket(sql, assigned_to=[uuid4()])
    with pytest.raises(asyncpg.CheckViolationError, match="twice"):
        await ticket(sql, assigned_to=[grace, grace])


async def test_an_assignee_who_was_deleted_stops_no_other_change(sql: asyncpg.Connection) -> None:
    gone, grace = await user(sql), await user(sql)
    await ticket(sql, assigned_to=[gone])
    await sql.execute("delete from auth.users where id = $1", gone)
    await sql.execute("update tickets set status = 'open', assigned_to = assigned_to")
    await sql.execute("update tickets set assigned_to = assigned_to || $1::uuid", grace)
    assert await sql.fetchval("select assigned_to from tickets") == [gone, grace]
    with pytest.raises(asyncpg.ForeignKeyViolationError, match="who is not in"):
        await sql.execute("update tickets set assigned_to = assigned_to || $1::uuid", uuid4())


async def test_the_database_sets_the_times(sql: asyncpg.Connection) -> None:
    async with sql.transaction():
        now = await sql.fetchval("select now()")
        await ticket(sql)
        first = await sql.fetchrow("select id, created_at, updated_at from tickets")
    assert first is not None
    assert isinstance(first["id"], UUID)
    assert first["created_at"] == first["updated_at"] == now
    long_ago = dt.datetime(2001, 1, 1, tzinfo=dt.UTC)
    await sql.execute("update tickets set title = 'It burned', created_at = $1, updated_at = $1", long_ago)
    later = await sql.fetchrow("select created_at, updated_at from tickets")
    assert later is not None
    assert later["created_at"] == first["created_at"]
    assert later["updated_at"] > first["updated_at"]
