"""apps.connections.open"""

from bot.sandbox.limits import TIER_3
from bot.sandbox.methods.registry import Json, Request, method


@method("apps.connections.open", TIER_3, app_level=True)
def connections_open(request: Request) -> Json:
    slack = request.slack
    if not slack.sockets.on:
        raise request.refuse("socket_mode_not_enabled")
    address = slack.url.replace("http://", "ws://")
    return {"url": f"{address}/link/?ticket={slack.sockets.ticket()}&app_id={slack.workspace.app_id}"}
