"""What is said to whoever wants to set up a channel, or the times of its digests, as it cannot be."""

from __future__ import annotations

# What a channel is like: these go on after "because", or after a colon
ARCHIVED = "it is archived"
SHARED = "it is shared with another company"
PUBLIC = "it is public"
OF_CUSTOMERS = "customers write there"
DESK_NOT_IN_IT = "the desk is not in it"

NO_TRIAGE = (
    "There is no triage channel yet, where tickets are shown to agents. First set up your agents' own private channel:"
    " type `/ticket setup` there."
)
ONLY_ADMINS = "Until there is a triage channel, only admins of this workspace can set up channels."
ONLY_ITS_AGENTS = "Only agents of this channel's triage channel can set it up."
ONLY_AGENTS = "Only agents can set up channels."
NO_CHANNEL = "This is a conversation and no channel: tickets come from direct messages anyway."
OWN_TRIAGE = "Choose a triage channel that you are in."

ONLY_TRIAGE_SETS_DIGESTS = "Only agents of this triage channel can set when its digests are posted."
DIGESTS_AMONG_CUSTOMERS = "Customers write there, and digests quote others. Choose another one."


def not_in_it(*, channel: str) -> str:
    return f"The desk is not in #{channel}. Type /invite @desk there first."


def no_triage_channel(*, channel: str, why: str) -> str:
    return (
        f"#{channel} cannot be a triage channel, because {why} and notes would be read by others."
        " Choose a private channel of your own that is not shared."
    )


def archived(*, channel: str) -> str:
    return f"#{channel} is archived. Unarchive it first."


def has_digests(*, channel: str) -> str:
    return f"Digests are posted in #{channel}, and customers would read there what others say."


def has_customers(*, channel: str) -> str:
    return f"Customers have tickets in #{channel}, so notes must not stand there. Choose a channel of agents only."


def is_needed(*, first: str, others: int, triage: str) -> str:
    """`first`, and so many `others`: the support channels whose tickets are shown in `triage`."""
    channels = f"#{first} and of {others} more" if others else f"#{first}"
    return f"The tickets of {channels} come to #{triage}. Let them go to another triage channel first."


def has_notes(*, channel: str) -> str:
    return f"Tickets are shown in #{channel}, with notes that customers must not read: it stays a triage channel."


def no_agent(*, name: str | None, triage: str) -> str:
    return (
        f"{name or 'Somebody of them'} is not an agent of #{triage}:"
        " only full members of this workspace who are in it are."
    )


def no_place_for_digests(*, why: str) -> str:
    return f"No digest can be posted there: {why}. Choose another one."
