"""The Web API, one function for each method. ``METHODS`` is the table of contents."""

from bot.sandbox.methods import apps, chat, conversations, files, team, views
from bot.sandbox.methods.registry import METHODS, Request

__all__ = ["METHODS", "Request", "apps", "chat", "conversations", "files", "team", "views"]
