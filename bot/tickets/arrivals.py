"""What arrives from Slack about messages, as the rules take it in: a discriminated union that also survives storage."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class File(BaseModel):
    """A file shared in Slack. `known` is false where Slack told only the id: `files.info` must be asked."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str = "file"
    mimetype: str = "application/octet-stream"
    size: int = 0
    url: str = ""
    known: bool = True


class MessageArrived(BaseModel):
    """Somebody wrote. `text` is Slack-encoded; `thread_ts` is None at top level.

    `below_desk`: in a thread that the desk began. `edited`: it was read back, with the words of an edit in this second
    (Slack's `edited.ts`); its first words may still be told. `subtype`: Slack's, of those that are shown otherwise.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["message"] = "message"
    channel: str
    ts: str
    thread_ts: str | None = None
    below_desk: bool = False
    direct: bool = False
    team: str
    author: str
    text: str
    files: tuple[File, ...] = ()
    on_request: bool = False
    edited: str | None = None
    subtype: Literal["thread_broadcast", "me_message"] | None = None


class Picked(BaseModel):
    """A message at which somebody has pointed, as Slack showed it then. `text` is Slack-encoded.

    `team` and `author` are None for one that no person wrote; `called` is the name that such a one had.
    """

    model_config = ConfigDict(frozen=True)

    channel: str
    ts: str
    thread_ts: str | None = None
    team: str | None = None
    author: str | None = None
    called: str = ""
    text: str = ""
    files: tuple[File, ...] = ()

    @property
    def by(self) -> tuple[str, str] | None:
        """(team, Slack id) of the person who wrote it."""
        return (self.team, self.author) if self.team and self.author else None


class MessageEdited(BaseModel):
    """`at`: the event's own Slack timestamp; `edited.ts` has whole seconds only, too coarse to order two edits.

    `to_the_second`: it was read back, and `at` is `edited.ts` after all. `previous`: the words before, where they are
    told. `text`: None where the words stay. `gone`: Slack's ids of files that the message has no more.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["edited"] = "edited"
    channel: str
    ts: str
    direct: bool = False
    at: str
    text: str | None
    to_the_second: bool = False
    previous: str | None = None
    gone: tuple[str, ...] = ()


class MessageDeleted(BaseModel):
    model_config = ConfigDict(frozen=True)

    kind: Literal["deleted"] = "deleted"
    channel: str
    ts: str
    direct: bool = False
    at: str


class ReactionAdded(BaseModel):
    """Somebody of the workspace, `user`, has reacted to the message (channel, ts). `at`: the event's Slack timestamp.

    `name`: the emoji's, without colons.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["reaction"] = "reaction"
    channel: str
    ts: str
    user: str
    name: str
    at: str

    @property
    def key(self) -> str:
        """Under which it is remembered that it was obeyed: the same one may be added again, later."""
        return f"reaction:{self.channel}:{self.ts}:{self.user}:{self.name}:{self.at}"


Arrived = Annotated[MessageArrived | MessageEdited | MessageDeleted | ReactionAdded, Field(discriminator="kind")]
ARRIVED: TypeAdapter[Arrived] = TypeAdapter(Arrived)
