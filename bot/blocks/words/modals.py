"""The forms. All of it is plain text, except for the sentences that say so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from storage.channels import Mode, Role

# Any form
SEND = "Send"
SAVE = "Save"
PRIORITY = "Priority"
BY_COMMAS = "Parted by commas."

# New ticket
NEW_TICKET = "New ticket"
OPEN_TICKET = "Open ticket"
TITLE_ASKED = "What is it about?"
DESCRIPTION_ASKED = "Tell us more"
CUSTOMER = "Customer"
YOURSELF = "Yourself"
CUSTOMER_HINT = "On whose behalf you open it."

# Reply, note, close
REPLY = "Reply"
REPLY_HINT = "The customer sees it, under your name."
NOTE = "Note"
NOTE_HINT = "Only agents see it."
KEEP = "Keep"
COMMENT = "Comment"
COMMENT_HINT = "An internal note: the customer does not see it."
CLOSE_TICKET = "Close ticket"

# Edit
TITLE = "Title"
TAGS = "Tags"
ASSIGNED_TO = "Assigned to"
MORE_FIELDS = "More fields of your own"
MORE_FIELDS_HINT = 'Such as version="4.2 beta" seats=3. A field that you empty is taken away.'

# After a rating
THANK_YOU = "Thank you"
WHAT_TO_KNOW = "What should we know?"
SKIP = "Skip"

# An e-mail address
YOUR_EMAIL = "Your e-mail"
EMAIL_ASKED = "Your e-mail address"
EMAIL_HINT = "The desk keeps it with your tickets. Answers still reach you here in Slack."
LEAVE_IT = "Leave it"

# Add to a ticket
ADD_TO_TICKET = "Add to a ticket"
ADD = "Add"
NUMBER_ASKED = "Number of the ticket"
NUMBER_EXAMPLE = "42"
NUMBER_HINT = "A message from the ticket's own channel joins its conversation; any other becomes an internal note."

# Set up a channel
SET_UP = "Set up this channel"
ROLE_ASKED = "What is it for?"
ROLES: Mapping[Role, str] = {
    "support": "Support channel: customers write here",
    "triage": "Triage channel: for agents only, private",
    "none": "Nothing: the desk leaves it alone",
}
ONLY_SUPPORT = "What follows is for support channels."
MODE_ASKED = "What opens a ticket?"
MODES: Mapping[Mode, str] = {
    "every_message": "Every message by a customer",
    "on_request": "Only a mention of the desk, a shortcut, a reaction or a command",
}
TRIAGE_ASKED = "Where are its tickets shown?"
ASSIGNEES_ASKED = "Who gets new tickets, in turn?"
ASSIGNEES_HINT = "Agents of the triage channel. Nobody: tickets wait to be claimed."
NEW_PRIORITY = "Priority of new tickets"
NEW_TAGS = "Tags of new tickets"
OPENING_REACTION = "Which reaction of an agent opens a ticket?"
CLAIMING_REACTION = "Which one claims it?"
CLOSING_REACTION = "Which one closes it?"
REACTION_HINT = "One emoji by its name, such as :eyes:. Empty: none does."

# Its working hours and digests
DAYS_ASKED = "On which days are agents at work?"
DAYS_HINT = (
    "Other time does not count as response time, and customers are told when you are back. None: all time counts."
)
WEEK: Mapping[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], str] = {
    "mon": "Monday",
    "tue": "Tuesday",
    "wed": "Wednesday",
    "thu": "Thursday",
    "fri": "Friday",
    "sat": "Saturday",
    "sun": "Sunday",
}
FROM = "From"
TO = "To"
ONLY_TRIAGE = "What follows is for triage channels."
DIGESTS_ASKED = "When are digests posted?"
#: In the words that tickets.timetable reads.
DIGESTS_HINT = (
    "A line for each: weekdays 9:00 today, mondays 8:00 week, monthly 9:00 month; or a cron line, such as"
    " 0 9 * * 1-5 today."
)
DIGEST_CHANNEL_ASKED = "Where are they posted?"
DIGEST_CHANNEL_HINT = "A channel of your own that the desk is in: digests quote customers."
HERE = "Here"
ONLY_TIMES = "What follows is for working hours and digests."
ZONE_ASKED = "In which time zone are these times?"
ZONE_HINT = "Such as Europe/Berlin or America/New_York."

# What is said instead of a form
DESK = "Ticket desk"
OK = "OK"


def reply_to(*, number: int) -> str:
    return f"Reply to #{number}"


def note_on(*, number: int) -> str:
    return f"Note on #{number}"


def close(*, number: int) -> str:
    return f"Close #{number}"


def edit(*, number: int) -> str:
    return f"Edit #{number}"


def title_elsewhere(*, number: int) -> str:
    """In place of the title: mrkdwn."""
    return f"This title cannot be edited here. `/ticket title {number} …` gives another."


def tags_elsewhere(*, number: int) -> str:
    """In place of the tags: mrkdwn."""
    return f"These tags cannot be edited here. `/ticket tag {number} +a -b` changes some."


def fields_elsewhere(*, number: int) -> str:
    """Below the fields of the ticket that no input can hold: mrkdwn."""
    return f"These cannot be edited here. `/ticket set {number} field=value` sets one."


def rated(*, number: int, rating: int) -> str:
    """mrkdwn."""
    return f"Your answer for ticket #{number} is saved: *{rating} of 5*. Thank you!"
