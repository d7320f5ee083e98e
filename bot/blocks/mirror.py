"""What is shown in one thread of what was written elsewhere, and what agents must notice.

`words` of these views are Slack mrkdwn whose mentions were taken out before; names and files' names are plain text.
"""

from __future__ import annotations

from collections.abc import Sequence

import slackblocks as slack

from bot.blocks.ids import Action
from bot.blocks.parts import (
    NAME,
    actions,
    button,
    by_way,
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
from bot.blocks.words import common
from bot.blocks.words import mirror as say
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


def mirror(view: Mirror) -> Message:
    """A message under its author's name and picture, with its files as links and those who must notice it mentioned."""
    if view.deleted:
        return message(
            common.DELETED, [context("deleted", common.DELETED)], username=view.author, icon_url=view.picture
        )
    files, remark = _files(view.files), _remark(view)
    pings = f"🔔 {_pings(view.alert)}" if view.alert else ""
    said = view.words.strip()
    if view.manner == "me" and said:
        said = f"_{said}_"
    blocks: list[slack.Block] = [*words(said), *words(files, limit=FILES, block_id="files")]
    if not blocks:
        blocks.append(context("empty", common.NO_WORDS))
    if remark:
        blocks.append(context("remark", remark))
    if pings:
        blocks.append(section("alert", pings))
    whole = "\n".join(part for part in (pings, said, files, remark) if part.strip())
    return message(whole or common.NO_WORDS, blocks, username=view.author, icon_url=view.picture)


def erased() -> Message:
    """Stands for a message that was erased while it was on its way, until it is taken away."""
    return message(common.DELETED, [context("deleted", common.DELETED)])


def _files(files: Sequence[Attached]) -> str:
    return "\n".join(map(_file, files))


def _file(file: Attached) -> str:
    named = link(file.url, clip(escape(one_line(file.name) or common.FILE), NAME), longest=1_000)
    return f"📎 {named} {say.TOO_LARGE}" if file.too_large else f"📎 {named}"


def files(view: Files) -> Message:
    """Under its author's name and picture; Slack shows the files themselves."""
    named = clip(escape(one_line(", ".join(view.names))), FILES)
    return message(f"📎 {named}", [], username=view.author, icon_url=view.picture)


def _remark(view: Mirror) -> str:
    original = link(view.original, say.ORIGINAL) if view.original else say.ORIGINAL
    shortened = say.shortened(original=original) if len(view.words.strip()) > WORDS else None
    broadcast = say.BROADCAST if view.manner == "broadcast" else None
    said = facts([common.EDITED if view.edited else None, broadcast, shortened])
    return f"_{said}_" if said else ""


def _pings(slack_ids: Sequence[str]) -> str:
    return some([mention(one) for one in slack_ids], most=PINGS, between=" ")


def note(view: NoteMirror) -> Message:
    """An internal note, which says so: the triage thread is its only place in Slack."""
    said = words(view.words) or [section("words", common.NO_WORDS)]
    return message(
        f"{say.NOTE}\n{view.words.strip() or common.NO_WORDS}",
        [context("internal", say.NOTE), *said],
        username=view.author,
        icon_url=view.picture,
    )


def held_reply(view: HeldReply) -> Message:
    """A reply from triage, first with *Undo* and *Make it a note*, then with what became of it."""
    due_at = date(view.due_at, say.DUE_AT)
    way = by_way(view.source_channel)
    became = say.held_reply(view.state, author=name_of(view.author), due_at=due_at, way=way)
    said = words(view.words) or [section("words", common.NO_WORDS)]
    attached = _files([Attached(name, "") for name in view.files])
    blocks: list[slack.Block] = [context("state", became), *said, *words(attached, limit=FILES, block_id="files")]
    if view.state == "held":
        blocks.append(
            actions(
                "actions",
                button(say.UNDO, Action.UNDO_REPLY, view.id, spoken=say.UNDO_SPOKEN),
                button(say.MAKE_NOTE, Action.MAKE_NOTE, view.id, spoken=say.MAKE_NOTE_SPOKEN),
            )
        )
    return message("\n".join(filter(None, [became, view.words.strip() or common.NO_WORDS, attached])), blocks)


def email_claim(view: EmailClaim) -> Message:
    """A question to the agents, first with *Confirm* and *Reject*, then with what they said."""
    email = clip(escape(one_line(view.email)), EMAIL)
    said = say.email_claim(customer=name_of(view.customer), email=email, owner=name_of(view.owner))
    if view.state != "asked":
        said = f"{said}\n{say.email_decided(view.state, by=name_of(view.decided_by))}"
        return message(said, [section("email", said)])
    pings = f"\n🔔 {_pings(view.alert)}" if view.alert else ""
    said = f"{say.email_question(said)}{pings}"
    sure = confirm(say.ARE_THEY_ONE, say.ONE_MEANS, say.CONFIRM)
    asked = actions(
        "actions",
        button(say.CONFIRM, Action.CONFIRM_EMAIL, view.id, confirm=sure, spoken=say.CONFIRM_SPOKEN),
        button(say.REJECT, Action.REJECT_EMAIL, view.id, spoken=say.REJECT_SPOKEN),
    )
    return message(said, [section("email", said), asked])


def alert(view: Alert) -> Message:
    """Mentions the assignees, because an updated card alerts nobody."""
    by = mention(view.by) if view.by else say.ANOTHER_PROGRAM
    said = say.alert(view.what, assignees=_pings(view.assignees), number=view.number, by=by)
    return message(said, [section("alert", said)])


def rated(view: Rated) -> Message:
    """A low rating, at once: the card that shows it too alerts nobody. A comment follows in the same message."""
    said = say.rated(
        assignees=_pings(view.assignees),
        requester=name_of(view.requester),
        number=view.number,
        stars=stars(view.rating),
    )
    comment = words(escape(view.comment or ""), block_id="comment")
    return message(f"{said}\n{escape(view.comment or '')}", [section("rated", said), *comment])


def parked(view: Parked) -> Message:
    """`view.what` begins the sentence: "The status message". Both fields are plain text."""
    what, error = (clip(escape(one_line(each)), 200) for each in (view.what, view.error))
    said = say.parked(what=what, error=error)
    return message(said, [section("parked", said)])


def stuck(view: Stuck) -> Message:
    """Nothing of the ticket's own stands in it, since that may be what is wrong."""
    said = say.stuck(number=view.number, reference=view.reference)
    return message(said, [section("stuck", said)])


def closed(view: Closed) -> Message:
    said = say.channel_closed(channel=_place(view.channel, view.person), error=escape(view.error))
    return message(said, [section("closed", said)])


def reopened(view: Reopened) -> Message:
    said = say.channel_open_again(channel=_place(view.channel, view.person), waiting=view.waiting)
    return message(said, [section("reopened", said)])


def _place(channel: str, person: str | None) -> str:
    return say.direct_messages(mention(person)) if person else f"<#{channel}>"
