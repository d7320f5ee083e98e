"""Channels as Slack describes them, and what they are fit for."""

from __future__ import annotations

from dataclasses import dataclass

from bot.tickets.words import channels as say
from storage.channels import Role


@dataclass(frozen=True, slots=True)
class Found:
    """A channel as Slack describes it now. `member`: the desk is in it. `direct`: of some people, and no channel."""

    id: str
    name: str
    private: bool
    shared: bool
    archived: bool
    member: bool
    direct: bool = False


def unfit_for_digests(channel: Found, role: Role | None) -> str | None:
    """Why digests, which quote customers, are not for all who read there; None: they are. `role`: the channel's."""
    if channel.shared:
        return say.SHARED
    return say.OF_CUSTOMERS if role == "support" else None


def unfit_for_triage(channel: Found) -> str | None:
    """Why notes would not be safe there; None: they are."""
    if channel.archived:
        return say.ARCHIVED
    if channel.shared:
        return say.SHARED
    return None if channel.private else say.PUBLIC


def no_place_for_digests(channel: Found, role: Role | None) -> str | None:
    """Why digests cannot be posted there, or are not for all who read there; None: it is a place for them."""
    if channel.archived:
        return say.ARCHIVED
    return unfit_for_digests(channel, role) or (None if channel.member else say.DESK_NOT_IN_IT)
