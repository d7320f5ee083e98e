"""What the desk listens to: the table of contents."""

from __future__ import annotations

from slack_bolt.async_app import AsyncApp

from bot.listeners import (
    buttons,
    commands,
    errors,
    forms,
    gaps,
    home,
    membership,
    mentions,
    messages,
    reactions,
    setups,
    shortcuts,
)
from bot.services import Services


def register(app: AsyncApp, services: Services) -> None:
    app.error(errors.answer(services))
    gaps.register(app, services)
    messages.register(app, services)  # first: Bolt asks one listener after the other, and nearly all are messages
    mentions.register(app, services)
    membership.register(app, services)
    commands.register(app, services)
    setups.register(app, services)
    home.register(app, services)
    buttons.register(app, services)  # after the others' buttons: it answers those that nobody knows any more
    forms.register(app, services)
    shortcuts.register(app, services)
    reactions.register(app, services)
