"""What the desk tells people of how Slack and it get on, and the names it gives to whoever has none.

Here to be changed or translated. All of it is plain text.
"""

from __future__ import annotations

from collections.abc import Mapping

from storage.people import Kind

# Whoever has no name
SOMEBODY = "somebody"
SOMEBODY_ELSEWHERE = "somebody whom another program knows"
ANOTHER_COMPANY = "another company"
#: Of those who have a ticket, whoever is not in Slack.
COLLEAGUE = "a colleague"

# Why nobody gets a ticket that was asked for
GONE = "No ticket was opened: this message is gone."
NOT_SHOWN = "No ticket was opened: Slack does not show this conversation to the desk."

# Why a ticket cannot be opened for somebody
UNANSWERED = "Slack does not say just now whether this person can be reached. Please try again."
NOT_IN_CHANNEL = (
    "This person is not in this channel and would not see the ticket. Invite them first, or type /ticket new"
    " elsewhere: the ticket then begins in their direct messages."
)

# Why an agent is one no more: it goes on after their name
LEFT = "has left this channel"
NO_MEMBER = "is no member of this workspace"
NO_AGENT: Mapping[Kind, str] = {"deactivated": "is deactivated", "guest": "is a guest now"}

#: What Slack does not take, by the kind of its slot. It begins a sentence.
PARKED: Mapping[str, str] = {
    "message": "A message",
    "files": "What was attached to a message",
    "status": "The status message",
    "root": "The new ticket's first message",
    "rating": "The rating question",
    "email": "The question about an e-mail",
    "rated": "A low rating",
}
SOMETHING = "Something"


def the_card(*, number: int, title: str) -> str:
    """One more of `PARKED`."""
    return f"The card of #{number} ({title})"


#: Why nothing is shown, or posted, in a channel: it goes on after "because" or a colon.
STILL_READING = "the desk is still reading who is in it"


def unseen(*, error: str) -> str:
    """One more reason of that kind."""
    return f"Slack does not show it to the desk ({error})"


def unreachable(*, error: str) -> str:
    return f"The desk cannot write to this person: Slack answers {error}."


def rest_is_gone(*, number: int) -> str:
    return (
        f"This is ticket #{number}, but Slack does not show the desk the rest of its thread any more:"
        " what was written there before you asked may be missing."
    )


def import_fails(*, reference: str) -> str:
    return (
        "The desk fails to make a ticket of what you have pointed at, and goes on trying."
        f" Tell whoever runs it this reference: {reference}"
    )
