"""The two short-lived keys that come with an interaction: trigger_id and response_url."""

from dataclasses import dataclass

from bot.sandbox.errors import Refused
from bot.sandbox.limits import Clock
from bot.sandbox.references import method_page
from bot.sandbox.workspace import Account, Channel, Message, new_token

TRIGGER_SECONDS = 3.0
RESPONSE_SECONDS = 30 * 60.0
RESPONSE_USES = 5


@dataclass
class _Trigger:
    person: Account
    born: float
    used: bool = False


class Triggers:
    """A trigger_id opens one view, within three real seconds, whatever the sandbox's speed:
    https://docs.slack.dev/interactivity/handling-user-interaction"""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._issued: dict[str, _Trigger] = {}

    def issue(self, person: Account) -> str:
        number = len(self._issued) + 1
        trigger_id = f"{4_000_000_000_000 + number}.{3_000_000_000_000 + number}.{new_token(32)}"
        self._issued[trigger_id] = _Trigger(person, self._clock.now())
        return trigger_id

    def exchange(self, trigger_id: str, method: str) -> Account:
        trigger = self._issued.get(trigger_id)
        page = method_page(method)
        if trigger is None:
            raise Refused("invalid_trigger_id", page)
        if trigger.used:
            raise Refused("exchanged_trigger_id", page)
        if self._clock.now() - trigger.born > TRIGGER_SECONDS:
            raise Refused("expired_trigger_id", page)
        trigger.used = True
        return trigger.person


@dataclass
class ResponseUrl:
    """Where an app may answer an interaction. ``original`` is the message it can replace or delete."""

    person: Account
    channel: Channel
    born: float
    original: Message | None = None
    thread_ts: str | None = None
    uses: int = 0


class ResponseUrls:
    """Each works five times within thirty minutes:
    https://docs.slack.dev/interactivity/handling-user-interaction#message_responses"""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._issued: dict[str, ResponseUrl] = {}

    def issue(self, person: Account, channel: Channel, original: Message | None = None) -> str:
        """Make a new key; the URL is the server's ``/response/`` + this key."""
        key = new_token(24)
        thread_ts = original.thread_ts if original and original.is_reply else None
        self._issued[key] = ResponseUrl(person, channel, self._clock.now(), original, thread_ts)
        return key

    def place(self, key: str) -> ResponseUrl:
        return self._issued[key]

    def use(self, key: str) -> ResponseUrl | str:
        """The place to answer to, or Slack's word for why not."""
        place = self._issued.get(key)
        if place is None:
            return "no_such_url"
        if self._clock.now() - place.born > RESPONSE_SECONDS:
            return "expired_url"
        if place.uses >= RESPONSE_USES:
            return "used_url"
        place.uses += 1
        return place
