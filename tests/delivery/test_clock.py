"""What is due is done when it is due."""

from __future__ import annotations

import datetime as dt

from tests.conftest import Office
from tests.delivery.test_courier import until


async def test_what_is_long_over_is_forgotten_every_hour(office: Office) -> None:
    week_ago = office.world.clock() - dt.timedelta(days=8)
    await until(lambda: office.sql.fetchval("select count(*) = 0 from threadesk.acted"))
    await office.sql.execute("insert into threadesk.acted (key, at) values ('view:V1', $1)", week_ago)
    office.world.clock.advance(hours=1, seconds=1)
    await until(lambda: office.sql.fetchval("select count(*) = 0 from threadesk.acted"))
