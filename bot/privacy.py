"""`python -m bot customer`: what is kept of a person, for them to have, and the end of it."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from bot.tickets import erasing
from bot.tickets.erasing import Erased
from storage import migrate, subjects, tickets
from storage.engine import CommitUnclear, Database, DatabaseAway, Transaction
from storage.subjects import Subject, TheirTicket
from storage.tickets import Noted, Written

SLACK_ID = re.compile(r"(?:([TE][A-Z0-9]+):)?([UW][A-Z0-9]{2,})", re.IGNORECASE)
#: Somebody may have asked for thousands of tickets.
SECONDS = 600.0
#: What of a ticket's row, and of a message, is the customer's to read. Tags and custom fields are for agents, and so
#: may be what other programs keep beside the schema's.
OF_TICKET = frozenset(
    {
        "title",
        "description",
        "status",
        "priority",
        "feedback",
        "source_channel",
        "created_at",
        "updated_at",
        "customer_email",
    }
)
OF_WORD = frozenset({"content", "created_at", "attachments", "edited_at", "earlier", "deleted_at"})
BY = {"agent": "support", "customer": "another customer", "other": "another program"}

NOT_ERASED = """\
What people wrote in Slack themselves stays there until they or an administrator of the workspace delete it; so do
digests that were posted, and messages that only one person sees. Backups and logs are yours to delete.
Cards, mirrored messages and copies of files go from Slack as fast as it lets the desk, while the desk runs;
`python -m bot outbox list` shows what still waits."""

OWNER_NEEDED = """\
The role in DATABASE_URL may not read auth.users, where people's accounts are: nothing was done.
Say it again with the URL of the role that runs `python -m bot migrate`."""


class PrivacyError(Exception):
    """What was asked for cannot be done, as a sentence."""


async def export(database: Database, now: dt.datetime, asked: str, *, notes: bool) -> str:
    """All that is kept of a person, as JSON. `notes`: with what agents wrote for themselves."""
    async with _transaction(database, now) as tx:
        subject = await _find(tx, asked)
        kept = await subjects.kept(tx, subject)
        found = [await _ticket(tx, subject, one, notes=notes) for one in await subjects.concerned(tx, subject)]
    whole = {
        "exported_at": now.isoformat(),
        "asked_for": asked,
        "customers": kept.customers,
        "auth_users": kept.users,
        "slack_people": kept.people,
        "emails_left": kept.claims,
        "tickets": [one for one in found if one["asked_for_by_them"]],
        "written_on_tickets_of_others": [one for one in found if not one["asked_for_by_them"]],
        "written_elsewhere": kept.not_in_tickets,
    }
    return json.dumps(whole, default=str, indent=2, ensure_ascii=False)


async def _ticket(tx: Transaction, subject: Subject, one: TheirTicket, *, notes: bool) -> dict[str, Any]:
    said = await tickets.conversation(tx, one.id, notes=notes and one.asked)
    words = [_word(subject, each) for each in said if not isinstance(each, Noted)]
    if not one.asked:
        theirs = [word for word in words if word["by"] == "them"]
        return {"number": one.number, "asked_for_by_them": False, "messages": theirs}
    row = {name: value for name, value in one.row.items() if notes or name in OF_TICKET}
    whole = {"number": one.number, "asked_for_by_them": True, **row, "messages": words}
    noted = [_word(subject, each) for each in said if isinstance(each, Noted)]
    unread = {"messages_not_readable": one.unreadable} if one.unreadable else {}
    return whole | unread | ({"notes": noted} if notes else {})


def _word(subject: Subject, one: Written) -> dict[str, Any]:
    """Nobody else's identity goes into what is handed to a person."""
    word: Mapping[str, Any] = one.word
    theirs = word.get("created_by") in {str(each) for each in subject.user_ids}
    kept = {name: value for name, value in word.items() if name in OF_WORD}
    return {"by": "them" if theirs else BY[one.author_role], **kept}


async def erase(database: Database, now: dt.datetime, asked: str, *, yes: bool) -> str:
    """Erases a person; without `yes` nothing is done, and PrivacyError says what would be."""
    async with _transaction(database, now) as tx:
        subject = await _find(tx, asked)
        _must_be_no_agent(subject)
        if not yes:
            raise PrivacyError(_planned(asked, subject, await erasing.plan(tx, subject)))
        erased = await erasing.erase(tx, subject)
    return "\n".join([f"Erased: {_counted(erased)}.", *_accounts(erased), NOT_ERASED])


def _must_be_no_agent(subject: Subject) -> None:
    if subject.triage:
        raise PrivacyError(
            f"They are a member of {', '.join(subject.triage)}, where agents work: nothing was erased."
            " Take them out of that channel in Slack first, if they are to be forgotten."
        )


def _planned(asked: str, subject: Subject, planned: Erased) -> str:
    known = ", ".join([*subject.names, *subject.emails, *(f"{team}:{one}" for team, one in subject.slack)])
    return (
        f"This erases {known}: {_counted(planned)}. In tickets they asked for, everything that anybody said goes, notes"
        " too; in others, what they said. Their rows in customers and auth.users go, and with the latter their log-in"
        " to other programs that share it. Numbers, times, statuses and ratings stay. It cannot be undone.\n"
        f"To go on: python -m bot customer erase {asked} --yes"
    )


def _counted(erased: Erased) -> str:
    others = f" and their words on {erased.elsewhere:,} of others" if erased.elsewhere else ""
    return f"{erased.tickets:,} ticket{'s' if erased.tickets != 1 else ''} they asked for{others}"


def _accounts(erased: Erased) -> list[str]:
    said = []
    for table, became in erased.accounts.items():
        if "emptied" in became:
            said.append(f"Their row in {table} is emptied and not deleted: rows of other programs refer to it.")
        if "left" in became:
            said.append(f"Their row in {table} is as it was: this role may not change it. Delete it yourself.")
    return said


async def _find(tx: Transaction, asked: str) -> Subject:
    slack = SLACK_ID.fullmatch(asked.strip())
    if slack:
        team, slack_id = slack.groups()
        subject = await subjects.with_slack_id(tx, team.upper() if team else None, slack_id.upper())
    elif "@" in asked:
        subject = await subjects.with_email(tx, asked.strip())
    else:
        raise PrivacyError(f"{asked} is neither an e-mail nor a Slack id, such as U024BE7LH or T061EG9R6:U024BE7LH.")
    if subject is None:
        raise PrivacyError(f"Nothing is kept of {asked}.")
    if subject.several:
        found = ", ".join(f"{team}:{one}" for team, one in subject.slack)
        raise PrivacyError(f"{asked} is the e-mail of several people in Slack. Name one of them instead: {found}.")
    return subject


@asynccontextmanager
async def _transaction(database: Database, now: dt.datetime) -> AsyncIterator[Transaction]:
    try:
        if not await migrate.is_current(database):
            raise PrivacyError("The database's tables are not up to date. Run this first: python -m bot migrate")
        async with database.transaction(now, within=SECONDS) as tx:
            if not await subjects.may_be_read(tx):
                raise PrivacyError(OWNER_NEEDED)
            yield tx
    except CommitUnclear:
        raise PrivacyError("The database went away just when it was done: say it again, which does no harm.") from None
    except DatabaseAway as error:
        raise PrivacyError(f"Nothing was done, because the database went away ({error}). Try again.") from None
