"""The card in the triage channel."""

from __future__ import annotations

EDITED = "✏️ edited after your reply"
WAITING_FOR_CUSTOMER = "waiting for the customer"
CUSTOMERS_THREAD = "Customer's thread"
EARLIER_THREAD = "Earlier thread"
NOT_A_TICKET = "Not a ticket"
NOT_A_TICKET_MEANS = "It is closed silently: the customer is asked nothing, and no figure counts it."


def requester(name: str, *, company: str | None) -> str:
    return f"From *{name}* ({company})" if company else f"From *{name}*"


def assigned_to(people: str) -> str:
    return f"assigned to {people}"


def follows(*, number: int) -> str:
    return f"follows #{number}"


def came_by(channel: str) -> str:
    """`channel`: such as e-mail."""
    return f"came by {channel}, where replies from here do not arrive"


def is_no_ticket(*, number: int) -> str:
    """Asks before it is done."""
    return f"Is #{number} not a ticket?"


def not_a_ticket(*, number: int) -> str:
    """What a screen reader says of the button."""
    return f"#{number} is not a ticket"
