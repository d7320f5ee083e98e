"""What people are told when the desk itself is in trouble."""

from __future__ import annotations

import pytest

from tests.conftest import Office

pytestmark = pytest.mark.transports("http", "socket")


async def test_a_database_lost_during_the_commit_leaves_open_whether_it_was_done(office: Office) -> None:
    world = office.world
    await world.ada.post(world.help, "The export fails")
    await office.at_rest()
    await office.sql.execute(
        """
        create function die() returns trigger language plpgsql as
          $$ begin perform pg_terminate_backend(pg_backend_pid()); perform pg_sleep(10); return null; end $$;
        create constraint trigger dies after update on tickets deferrable initially deferred
          for each row when (new.priority = 'high') execute function die();
        """
    )
    answered = await world.linus.command("/ticket", "priority 1 high", channel=world.triage)
    assert "It may not have been done: look before you try again." in str(vars(answered))
    await office.at_rest()


async def test_a_message_is_heard_while_slack_limits_every_call(office: Office) -> None:
    office.sandbox.storm(1)
    await office.world.ada.post(office.world.help, "The export fails")
    await office.sandbox.settled()
    assert await office.said() == ["The export fails"]
