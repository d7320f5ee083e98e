"""The card in the triage channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

EDITED = "✏️ edited after your reply"
WAITING_FOR_CUSTOMER = "waiting for the customer"
CUSTOMERS_THREAD = "Customer's thread"
EARLIER_THREAD = "Earlier thread"
NOT_A_TICKET = "Not a ticket"
NOT_A_TICKET_MEANS = "It is closed silently: the customer is asked nothing, and no figure counts it."

#: What another program has written wrong, by the names that `threadesk.flaws` has for it; {} is how many there are.
FLAWS: Mapping[str, str] = {
    "messages_shape": 'a `conversation_history` that is not `{{"messages": […]}}`',
    "messages_unidentified": "messages whose `id` is no uuid, which I cannot show ({})",
    "messages_repeated": "messages whose `id` another one has, which I show once ({})",
    "messages_incomplete": "messages in which a field is missing or wrong ({})",
    "notes_shape": '`internal_notes` that are not `{{"notes": […]}}`',
    "notes_unidentified": "notes whose `id` is no uuid, which I cannot show ({})",
    "notes_repeated": "notes whose `id` another one has, which I show once ({})",
    "notes_incomplete": "notes in which a field is missing or wrong ({})",
    "status": "a `status` that is none of new, open, pending, closed",
    "priority": "a `priority` that is none of low, medium, high",
    "tags": "`tags` that are no plain list",
    "custom_fields": "`custom_fields` that are no object",
    "feedback": "a `feedback` without a rating from 1 to 5",
}


def requester(name: str, *, company: str | None) -> str:
    return f"From *{name}* ({company})" if company else f"From *{name}*"


def assigned_to(people: str) -> str:
    return f"assigned to {people}"


def follows(*, number: int) -> str:
    return f"follows #{number}"


def not_in_slack(count: int) -> str:
    """So many more are assigned: goes on after their names."""
    return f"{count:,} not in Slack"


def writes(way: str) -> str:
    """`way`: "by e-mail"."""
    return f"Customer writes {way}"


def flaw(what: str, *, count: int) -> str:
    """One of FLAWS."""
    return FLAWS[what].format(f"{count:,}")


def flaws(found: Sequence[str]) -> str:
    """`found`: of `flaw`."""
    return f"⚠️ Another program has written {'; '.join(found)}. Nothing of it is thrown away."


def is_no_ticket(*, number: int) -> str:
    """Asks before it is done."""
    return f"Is #{number} not a ticket?"


def not_a_ticket(*, number: int) -> str:
    """What a screen reader says of the button."""
    return f"#{number} is not a ticket"
