"""What the operations need to know of the desk itself."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from storage.figures import Place


@dataclass(frozen=True, slots=True)
class Desk:
    """The workspace and bot user that the desk runs as, and the times of its rules.

    `cooldown`: how long a person who has rated is not asked again. `retention`: how long a closed ticket keeps its
    words; None: for ever.
    `team_url`: "https://acme.slack.com/". `digest_channel`: where digests are posted; None: the triage channel.
    """

    team_id: str
    team_url: str
    bot_user: str
    digest_channel: str | None
    undo: dt.timedelta
    grouping: dt.timedelta
    reopening: dt.timedelta
    cooldown: dt.timedelta = dt.timedelta(0)
    retention: dt.timedelta | None = None

    def link(self, channel: str, ts: str, thread_ts: str | None = None) -> str:
        """Where a message is: https://docs.slack.dev/reference/methods/chat.getPermalink shows the form."""
        place = f"{self.team_url.rstrip('/')}/archives/{channel}/p{ts.replace('.', '')}"
        return f"{place}?thread_ts={thread_ts}&cid={channel}" if thread_ts and thread_ts != ts else place

    def place(self, place: Place) -> str | None:
        """Where agents can see a ticket of a digest: its card, else the customer's thread."""
        if place.card_ts:
            return self.link(place.triage_channel, place.card_ts)
        return self.link(place.channel, place.root_ts) if place.channel and place.root_ts else None
