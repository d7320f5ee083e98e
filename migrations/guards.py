"""What holds of every row of the user's tables, as the ticket schema describes them, and how the database is made to
see to it.

A table that the desk makes has all of it from the start (0001, 0010). One that was there before is given what its rows
agree with already, by `storage.adoption`.
"""

from __future__ import annotations

from dataclasses import dataclass

from alembic import op


@dataclass(frozen=True, slots=True)
class Guard:
    """`table` is one of the schema public. A row for which `condition` is false is refused, and `says` what is wrong
    with it. `there`: whether the database sees to it already; `do` makes it so, `undo` takes that away again. A guard
    without a condition helps to find rows, and refuses none. `reads`: the other table that the condition looks into.
    """

    name: str
    table: str
    says: str
    condition: str | None
    there: str
    do: str
    undo: str
    reads: str | None = None


def every(column: str, key: str, *conditions: str) -> str:
    """A CHECK that `column` is null or {key: [objects that meet every condition]}.

    Those that do are counted: in strict mode a missing key or one of another type makes a condition unknown, which
    is not met either.
    """
    return f"""({column} is null or coalesce(jsonb_typeof({column} -> '{key}'), 'none') = 'array'
    and jsonb_array_length({column} -> '{key}') = jsonb_array_length(jsonb_path_query_array({column},
      'strict $.{key}[*] ? ({" && ".join(conditions)}).type()', silent => true)))"""


def uuid(name: str) -> str:
    return f'@.{name} like_regex "^[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}$" flag "i"'


def text(name: str) -> str:
    return f'@.{name}.type() == "string"'


def text_or_null(name: str) -> str:
    return f'(@.{name}.type() == "string" || @.{name}.type() == "null")'


RATING = (
    '@.rating.type() == "number" && @.rating >= 1 && @.rating <= 5 && @.rating.floor() == @.rating',
    text_or_null("comment"),
    text("submitted_at"),
)
WORDS = (uuid("id"), text("content"), text("created_at"), text_or_null("created_by"))
HISTORY = every("feedback_history", "feedback", *RATING, uuid("ticket_id"))

CHECK_ASSIGNEES = """
create trigger tickets_check_assignees before insert on public.tickets
  for each row when (new.assigned_to is not null) execute function public.tickets_check_assignees();
create trigger tickets_check_new_assignees before update on public.tickets
  for each row when (new.assigned_to is distinct from old.assigned_to)
  execute function public.tickets_check_assignees();
"""
HISTORY_AGREES = """
create constraint trigger threadesk_history_agrees after insert or update on public.customers
  deferrable initially deferred for each row execute function threadesk.history_must_agree();
"""


def _check(table: str, name: str, condition: str, says: str) -> Guard:
    relation = f"public.{table}"
    return Guard(
        name,
        table,
        says,
        condition,
        f"select from pg_constraint where conrelid = '{relation}'::regclass and conname = '{name}'",
        f"alter table {relation} add constraint {name} check ({condition})",
        f"alter table {relation} drop constraint if exists {name}",
    )


def _index(table: str, column: str, method: str) -> Guard:
    # Not as PostgreSQL itself would name it: one that is there and does not serve may go by that.
    name, relation = f"threadesk_{table}_{column}_idx", f"public.{table}"
    return Guard(
        name,
        table,
        "",
        None,
        f"select from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]"
        f" where i.indrelid = '{relation}'::regclass and a.attname = '{column}' and i.indpred is null",
        f"create index {name} on {relation} using {method} ({column})",
        f"drop index if exists public.{name}",
    )


def _trigger(table: str, name: str, condition: str, says: str, do: str, *triggers: str, reads: str) -> Guard:
    relation = f"public.{table}"
    return Guard(
        name,
        table,
        says,
        condition,
        f"select from pg_trigger where tgrelid = '{relation}'::regclass and tgname = '{triggers[0]}'",
        do,
        "; ".join(f"drop trigger if exists {one} on {relation}" for one in triggers),
        reads,
    )


CHECKS = (
    _check("customers", "customers_feedback_history_shape", HISTORY, "feedback_history is not as the schema has it"),
    _check(
        "tickets",
        "tickets_status_known",
        "status in ('new', 'open', 'pending', 'closed')",
        "status is none of new, open, pending, closed",
    ),
    _check(
        "tickets",
        "tickets_priority_known",
        "priority in ('low', 'medium', 'high')",
        "priority is none of low, medium, high",
    ),
    _check(
        "tickets",
        "tickets_custom_fields_shape",
        "jsonb_typeof(custom_fields) = 'object'",
        "custom_fields is no JSON object",
    ),
    _check(
        "tickets",
        "tickets_conversation_history_shape",
        every("conversation_history", "messages", *WORDS, '@.attachments.type() == "array"'),
        "conversation_history is not as the schema has it",
    ),
    _check(
        "tickets",
        "tickets_internal_notes_shape",
        every("internal_notes", "notes", *WORDS),
        "internal_notes is not as the schema has it",
    ),
    _check(
        "tickets",
        "tickets_feedback_shape",
        f"""
    feedback is null or jsonb_path_exists(feedback, 'strict $ ? ({" && ".join(RATING)})', silent => true)
  """,
        "feedback is not as the schema has it",
    ),
)
INDEXES = (
    _index("tickets", "created_by", "btree"),
    _index("tickets", "customer_email", "btree"),
    _index("tickets", "assigned_to", "gin"),
)
TRIGGERS = (
    _trigger(
        "tickets",
        "tickets_assigned_to_known",
        """not exists (select from unnest(assigned_to) as a (id)
    where not exists (select from auth.users u where u.id = a.id))
  and (select count(*) = count(distinct id) from unnest(assigned_to) as a (id))""",
        "assigned_to names somebody twice, or who is not in auth.users",
        CHECK_ASSIGNEES,
        "tickets_check_assignees",
        "tickets_check_new_assignees",
        reads="auth.users",
    ),
    _trigger(
        "customers",
        "customers_feedback_history_agrees",
        f"case when {HISTORY} then threadesk.history_agrees(email, feedback_history) else false end",
        "feedback_history differs from the feedback of the tickets that it names",
        HISTORY_AGREES,
        "threadesk_history_agrees",
        reads="public.tickets",
    ),
)

#: In the order in which they are put up: the last ones are looked into by means of the indexes.
GUARDS = (*INDEXES, *CHECKS, *TRIGGERS)


def checks_of(table: str) -> str:
    """The CHECKs of a table that is being made."""
    return ",\n  ".join(f"constraint {one.name} check ({one.condition})" for one in CHECKS if one.table == table)


def is_adopted(table: str) -> bool:
    """Whether a table of the schema public was there before the desk."""
    bind = op.get_bind()
    if bind.exec_driver_sql("select to_regclass('threadesk.adopted')").scalar() is None:
        return False
    return bool(bind.exec_driver_sql(f"select exists (select from threadesk.adopted where name = '{table}')").scalar())
