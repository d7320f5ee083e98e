"""What stands in place of what was erased: in the rows, and so in Slack."""

from __future__ import annotations

#: A ticket's title.
TITLE = "(deleted)"
#: Where somebody was mentioned.
SOMEBODY = "@somebody"
