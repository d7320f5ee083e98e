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


class MessageEdited(BaseModel):
    """`at`: the event's own Slack timestamp; `edited.ts` has whole seconds only, too coarse to order two edits.

    `to_the_second`: it was read back, and `at` is `edited.ts` after all. `previous`: the words before, where they are
    told.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["edited"] = "edited"
    channel: str
    ts: str
    direct: bool = False
    at: str
    text: str
    to_the_second: bool = False
    previous: str | None = None


class MessageDeleted(BaseModel):
    model_config = ConfigDict(frozen=True)

    kind: Literal["deleted"] = "deleted"
    channel: str
    ts: str
    direct: bool = False
    at: str


Arrived = Annotated[MessageArrived | MessageEdited | MessageDeleted, Field(discriminator="kind")]
ARRIVED: TypeAdapter[Arrived] = TypeAdapter(Arrived)
