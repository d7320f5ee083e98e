"""What is shown in one thread of what was written elsewhere, and what agents must notice.

`words` of these views are Slack mrkdwn whose mentions were taken out before; names and files' names are plain text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

import slackblocks as slack

from bot.blocks.ids import Action
from bot.blocks.parts import (
    NAME,
    NO_WORDS,
    actions,
    button,
    confirm,
    context,
    facts,
    mention,
    name_of,
    section,
    some,
    stars,
)
from bot.blocks.surface import WORDS, Message, clip, date, escape, link, message, one_line, words
from bot.tickets.views import (
    Alert,
    Attached,
    Closed,
    EmailClaim,
    Files,
    HeldReply,
    Mirror,
    NoteMirror,
    Parked,
    Rated,
    Reopened,
    Stuck,
)

EMAIL = 260
FILES = 1_500
PINGS = 20
GONE = "_message deleted_"
#: Why Slack refuses, and what to do: https://docs.slack.dev/reference/methods/chat.postMessage#errors
ARCHIVED = ("it is archived", "Unarchive it")
NOT_IN_IT = ("the desk is not in it", "Type /invite @desk there")
FORBIDDEN = ("an administrator does not allow it", "Ask the administrators of your workspace")
WHY = {
    "is_archived": ARCHIVED,
    "is_inactive": ARCHIVED,
    "channel_not_found": NOT_IN_IT,
    "not_in_channel": NOT_IN_IT,
    "restricted_action": ("only some people may write there", "Let the desk write there, in the channel's settings"),
    "missing_scope": ("the app lacks a scope", "Compare its manifest with manifest.yml, then install it again"),
}


def mirror(view: Mirror) -> Message:
    """A message under its author's name and picture, with its files as links and those who must notice it mentioned."""
    if view.deleted:
        return message(GONE, [context("deleted", GONE)], username=view.author, icon_url=view.picture)
    files, remark = _files(view.files), _remark(view)
    pings = f"🔔 {_pings(view.alert)}" if view.alert else ""
    said = view.words.strip()
    if view.manner == "me" and said:
        said = f"_{said}_"
    blocks: list[slack.Block] = [*words(said), *words(files, limit=FILES, block_id="files")]
    if not blocks:
        blocks.append(context("empty", NO_WORDS))
    if remark:
        blocks.append(context("remark", remark))
    if pings:
        blocks.append(section("alert", pings))
    whole = "\n".join(part for part in (pings, said, files, remark) if part.strip())
    return message(whole or NO_WORDS, blocks, username=view.author, icon_url=view.picture)


def erased() -> Message:
    """Stands for a message that was erased while it was on its way, until it is taken away."""
    return message(GONE, [context("deleted", GONE)])


def _files(files: Sequence[Attached]) -> str:
    return "\n".join(map(_file, files))


def _file(file: Attached) -> str:
    large = " _(too large to be copied here)_" if file.too_large else ""
    return f"📎 {link(file.url, clip(escape(one_line(file.name) or 'file'), NAME), longest=1_000)}{large}"


def files(view: Files) -> Message:
    """Under its author's name and picture; Slack shows the files themselves."""
    named = clip(escape(one_line(", ".join(view.names))), FILES)
    return message(f"📎 {named}", [], username=view.author, icon_url=view.picture)


def _remark(view: Mirror) -> str:
    original = link(view.original, "the original") if view.original else "the original"
    shortened = f"shortened: {original} is longer than one message here" if len(view.words.strip()) > WORDS else None
    broadcast = "also sent to the channel" if view.manner == "broadcast" else None
    said = facts(["edited" if view.edited else None, broadcast, shortened])
    return f"_{said}_" if said else ""


def _pings(slack_ids: Sequence[str]) -> str:
    return some([mention(one) for one in slack_ids], most=PINGS, between=" ")


def note(view: NoteMirror) -> Message:
    """An internal note, which says so: the triage thread is its only place in Slack."""
    marked = "🔒 *Internal note* · the customer does not see it"
    said = words(view.words) or [section("words", NO_WORDS)]
    return message(
        f"{marked}\n{view.words.strip() or NO_WORDS}",
        [context("internal", marked), *said],
        username=view.author,
        icon_url=view.picture,
    )


def held_reply(view: HeldReply) -> Message:
    """A reply from triage, first with *Undo* and *Make it a note*, then with what became of it."""
    became = _became(view)
    said = words(view.words) or [section("words", NO_WORDS)]
    attached = _files([Attached(name, "") for name in view.files])
    blocks: list[slack.Block] = [context("state", became), *said, *words(attached, limit=FILES, block_id="files")]
    if view.state == "held":
        blocks.append(
            actions(
                "actions",
                button("Undo", Action.UNDO_REPLY, view.id, spoken="Undo: the customer does not get this reply"),
                button("Make it a note", Action.MAKE_NOTE, view.id, spoken="Make this reply an internal note"),
            )
        )
    return message("\n".join(filter(None, [became, view.words.strip() or NO_WORDS, attached])), blocks)


def _became(view: HeldReply) -> str:
    reply = f"*Reply by {name_of(view.author)}*"
    match view.state:
        case "held":
            return f"⏳ {reply} · goes to the customer at {date(view.due_at, '{time_secs}')}"
        case "sent":
            return f"📤 {reply} · sent to the customer"
        case "waiting":
            return f"⏸️ {reply} · waits: Slack does not let me write to the customer just now"
        case "unsent":
            return f"⚠️ {reply} · did not reach the customer"
        case "undone":
            return f"↩️ {reply} · undone, the customer did not get it"
        case "noted":
            return f"🔒 {reply} · made an internal note, the customer did not get it"
        case _:
            assert_never(view.state)


def email_claim(view: EmailClaim) -> Message:
    """A question to the agents, first with *Confirm* and *Reject*, then with what they said."""
    email = clip(escape(one_line(view.email)), EMAIL)
    said = f"📧 *{name_of(view.customer)}* goes by {email}, which is the address of *{name_of(view.owner)}*."
    if view.state != "asked":
        said = f"{said}\n{_decided(view)}"
        return message(said, [section("email", said)])
    pings = f"\n🔔 {_pings(view.alert)}" if view.alert else ""
    said = f"{said} Nobody has checked that. Are the two one person?{pings}"
    sure = confirm(
        "Are the two one person?",
        "All tickets and ratings become those of one customer. This cannot be undone.",
        "Confirm",
    )
    asked = actions(
        "actions",
        button("Confirm", Action.CONFIRM_EMAIL, view.id, confirm=sure, spoken="Confirm: the two are one person"),
        button("Reject", Action.REJECT_EMAIL, view.id, spoken="Reject: they are two people"),
    )
    return message(said, [section("email", said), asked])


def _decided(view: EmailClaim) -> str:
    match view.state:
        case "confirmed":
            return f"✅ {name_of(view.decided_by)} has confirmed that they are one person."
        case "rejected":
            return f"🚫 {name_of(view.decided_by)} says that they are two people."
        case _:
            return "↩️ They go by another address now."


def alert(view: Alert) -> Message:
    """Mentions the assignees, because an updated card alerts nobody."""
    by = mention(view.by) if view.by else "another program"
    match view.what:
        case "assigned":
            said = f"{_pings(view.assignees)} #{view.number} was assigned to you by {by}."
        case "turn":
            said = f"{_pings(view.assignees)} #{view.number} is yours: it was your turn."
        case "reopened":
            said = f"{_pings(view.assignees)} #{view.number} was reopened by {by}."
        case _:
            assert_never(view.what)
    return message(said, [section("alert", said)])


def rated(view: Rated) -> Message:
    """A low rating, at once: the card that shows it too alerts nobody. A comment follows in the same message."""
    pings = f"{_pings(view.assignees)} " if view.assignees else ""
    said = f"⭐ {pings}{name_of(view.requester)} rated #{view.number}: {stars(view.rating)}"
    comment = words(escape(view.comment or ""), block_id="comment")
    return message(f"{said}\n{escape(view.comment or '')}", [section("rated", said), *comment])


def parked(view: Parked) -> Message:
    """`view.what` begins the sentence: "The status message". Both fields are plain text."""
    what, error = (clip(escape(one_line(each)), 200) for each in (view.what, view.error))
    said = f"⚠️ {what} does not reach Slack, which answers: {error}"
    return message(said, [section("parked", said)])


def stuck(view: Stuck) -> Message:
    """Nothing of the ticket's own stands in it, since that may be what is wrong."""
    said = (
        f"⚠️ Slack does not show #{view.number} as it is now: something went wrong in the desk."
        f" Tell whoever runs it this reference: {view.reference}"
    )
    return message(said, [section("stuck", said)])


def closed(view: Closed) -> Message:
    why, cure = WHY.get(view.error, FORBIDDEN)
    said = (
        f"⚠️ The desk cannot write in {_place(view.channel, view.person)}, because {why} ({escape(view.error)})."
        f" {cure}. Nothing is lost: what is to be shown there waits until then."
    )
    return message(said, [section("closed", said)])


def reopened(view: Reopened) -> Message:
    waited = f" What waited there is shown now ({view.waiting:,})." if view.waiting else ""
    said = f"✅ The desk can write in {_place(view.channel, view.person)} again.{waited}"
    return message(said, [section("reopened", said)])


def _place(channel: str, person: str | None) -> str:
    return f"its direct messages with {mention(person)}" if person else f"<#{channel}>"
