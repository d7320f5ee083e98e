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

    `below_desk`: in a thread that the desk began.
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


class MessageEdited(BaseModel):
    """`at`: the event's own Slack timestamp; `edited.ts` has whole seconds only, too coarse to order two edits.

    `to_the_second`: it was read back, and `at` is `edited.ts` after all.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["edited"] = "edited"
    channel: str
    ts: str
    direct: bool = False
    at: str
    text: str
    to_the_second: bool = False


class MessageDeleted(BaseModel):
    model_config = ConfigDict(frozen=True)

    kind: Literal["deleted"] = "deleted"
    channel: str
    ts: str
    direct: bool = False
    at: str


Arrived = Annotated[MessageArrived | MessageEdited | MessageDeleted, Field(discriminator="kind")]
ARRIVED: TypeAdapter[Arrived] = TypeAdapter(Arrived)
