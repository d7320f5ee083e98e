"""A Slack workspace on your own machine, for trying, testing and benchmarking the desk.

It shares no code with the desk nor with Slack's own libraries, so that a mistake cannot hide in both. What it
refuses, it refuses with Slack's error codes, and it names the page of Slack's documentation that says so.
"""

from bot.sandbox.delivery import Delivery
from bot.sandbox.errors import CannotDo
from bot.sandbox.faults import Weather
from bot.sandbox.interactions import Interaction
from bot.sandbox.people import Person
from bot.sandbox.sandbox import Sandbox
from bot.sandbox.slack import Call
from bot.sandbox.workspace import Channel, Message, Team

__all__ = [
    "Call",
    "CannotDo",
    "Channel",
    "Delivery",
    "Interaction",
    "Message",
    "Person",
    "Sandbox",
    "Team",
    "Weather",
]
