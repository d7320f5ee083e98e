"""Which support channels are served follows the replicas that live, and none that was cut off loses its own."""

from __future__ import annotations

from bot.delivery import directory
from bot.delivery.presence import Presence
from bot.delivery.slack import ask
from tests.conftest import Office
from tests.delivery.test_courier import until


async def test_a_channel_that_was_lost_while_its_replica_was_cut_off_is_served_again_and_read_back(
    office: Office,
) -> None:
    """Only the replica that is cut off names it: in a roll-out, or after a longer outage of the database."""
    world, services = office.world, office.running.services
    channel = await world.sandbox.add_channel("help-initech", members=[world.ben, world.sandbox.bot])
    info = await ask(services.slack, "conversations.info", channel=channel.id)
    cut_off = Presence(services, [directory.found_channel(info["channel"])], world.triage.id)
    other = Presence(services, [], world.triage.id)
    served = "select exists (select from threadesk.channels where id = $1)"

    await cut_off.renew()
    await office.sql.execute("update threadesk.named set until = clock_timestamp() where channel = $1", channel.id)
    await other.renew()
    assert not await office.sql.fetchval(served, channel.id)
    world.clock.advance(minutes=1)
    await world.ben.post(channel, "My laptop is slow")
    await office.at_rest()
    world.clock.advance(minutes=1)
    assert not await office.sql.fetchval("select count(*) from tickets")

    await cut_off.renew()
    await until(lambda: office.sql.fetchval("select exists (select from tickets where title = 'My laptop is slow')"))
    await office.at_rest()
