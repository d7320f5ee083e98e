"""apps.connections.open

Its page has named tier 1 and tier 3. It is taken as 3: with one call a minute nobody could hold two connections. The
code for Socket Mode that is off stands on the page of apps.manifest.create.
"""

from bot.sandbox.limits import TIER_3
from bot.sandbox.methods.registry import Json, Request, method


@method("apps.connections.open", TIER_3, app_level=True)
def connections_open(request: Request) -> Json:
    slack = request.slack
    if not slack.sockets.on:
        raise request.refuse("socket_mode_not_enabled")
    address = slack.url.replace("http://", "ws://")
    return {"url": f"{address}/link/?ticket={slack.sockets.ticket()}&app_id={slack.workspace.app_id}"}
