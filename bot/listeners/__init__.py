"""What the desk listens to: the table of contents."""

from __future__ import annotations

from slack_bolt.async_app import AsyncApp

from bot.listeners import buttons, commands, errors, forms, gaps, membership, mentions, messages, setups
from bot.services import Services


def register(app: AsyncApp, services: Services) -> None:
    app.error(errors.answer(services))
    gaps.register(app, services)
    mentions.register(app, services)
    membership.register(app, services)  # before `messages`: a channel that is made public says so in a message
    messages.register(app, services)
    commands.register(app, services)
    setups.register(app, services)
    buttons.register(app, services)
    forms.register(app, services)
