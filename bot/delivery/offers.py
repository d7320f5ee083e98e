"""What the desk offers to a requester alone, once everything else of their ticket is shown."""

from __future__ import annotations

from uuid import UUID

from bot.blocks import customer
from bot.tickets import emails
from storage import notices
from storage.engine import Transaction


async def offer_email(tx: Transaction, ticket_id: UUID) -> None:
    """Beside the ticket's thread where that stands in a channel, else in their direct messages."""
    ticket = await emails.offer(tx, ticket_id)
    if ticket is None:
        return
    said = customer.email_offer(ticket.number)
    in_channel = (ticket.channel or "").startswith(("C", "G"))
    await notices.add(
        tx,
        f"email:{ticket.requester_team}:{ticket.requester_slack}",
        "ephemeral" if in_channel else "direct",
        {"text": said.text, "blocks": said.blocks},
        slack_id=ticket.requester_slack,
        channel=ticket.channel if in_channel else None,
        thread_ts=ticket.root_ts if in_channel else None,
    )
