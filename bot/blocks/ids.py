"""Every id by which Slack tells us what was pressed, submitted or filled in."""

from __future__ import annotations

from enum import StrEnum


class Action(StrEnum):
    """The action_id of every button and menu; OPEN_TICKET is a link, whose press is only to be acknowledged."""

    CLAIM = "claim"
    REPLY = "reply"
    NOTE = "note"
    CLOSE = "close"
    REOPEN = "reopen"
    EDIT = "edit"
    NOT_A_TICKET = "not_a_ticket"
    SOLVED = "solved"
    UNDO_REPLY = "undo_reply"
    MAKE_NOTE = "make_note"
    RATE_1 = "rate:1"
    RATE_2 = "rate:2"
    RATE_3 = "rate:3"
    RATE_4 = "rate:4"
    RATE_5 = "rate:5"
    MORE = "more"
    OPEN_TICKET = "open_ticket"
    LEAVE_EMAIL = "leave_email"
    CONFIRM_EMAIL = "confirm_email"
    REJECT_EMAIL = "reject_email"
    SET_UP = "set_up"
    SET_UP_SUPPORT = "set_up:support"
    SET_UP_TRIAGE = "set_up:triage"
    LEAVE_ALONE = "set_up:none"
    NEW_TICKET = "new_ticket"
    HOME_LIST = "home_list"
    HOME_STATUS = "home_status"
    HOME_PRIORITY = "home_priority"
    HOME_TAG = "home_tag"
    HOME_CHANNEL = "home_channel"
    HOME_CLEAR = "home_clear"
    HOME_REFRESH = "home_refresh"
    HOME_NEXT = "home_next"
    HOME_BACK = "home_back"


class Callback(StrEnum):
    """The callback_id of every modal that is submitted."""

    NEW_TICKET = "new_ticket"
    REPLY = "reply"
    NOTE = "note"
    CLOSE = "close"
    EDIT = "edit"
    RATING_COMMENT = "rating_comment"
    EMAIL = "email"
    ADD_TO_TICKET = "add_to_ticket"
    SET_UP = "set_up"


class Shortcut(StrEnum):
    """The callback_id of every shortcut of manifest.yml."""

    OPEN_TICKET = "open_ticket"
    ADD_TO_TICKET = "add_to_ticket"
    NEW_TICKET = "new_ticket"


class Field(StrEnum):
    """The block_id of every input, which is also the action_id of its element and the field of its form.

    FIELDS has an input for each custom field: "fields:version".
    """

    TITLE = "title"
    DESCRIPTION = "description"
    PRIORITY = "priority"
    CUSTOMER = "customer"
    WORDS = "words"
    COMMENT = "comment"
    TAGS = "tags"
    ASSIGNEES = "assignees"
    FIELDS = "fields"
    MORE_FIELDS = "more_fields"
    EMAIL = "email"
    NUMBER = "number"
    DIGEST_TIMES = "digest_times"
    DIGEST_CHANNEL = "digest_channel"
    WORK_DAYS = "work_days"
    WORK_OPENS = "work_opens"
    WORK_CLOSES = "work_closes"
    ZONE = "zone"
    ROLE = "role"
    MODE = "mode"
    TRIAGE_CHANNEL = "triage_channel"
    REACTION_OPEN = "reaction_open"
    REACTION_CLAIM = "reaction_claim"
    REACTION_CLOSE = "reaction_close"
