"""Runs a script of several SQL statements, which the driver's prepared statements would refuse."""

from alembic import op


def run_script(sql: str) -> None:
    bind = op.get_bind()
    # SQLAlchemy opens the transaction at its own first statement: without one the script would commit by itself.
    bind.exec_driver_sql("select 1")
    connection = bind.connection.dbapi_connection
    assert connection is not None
    connection.run_async(lambda driver: driver.execute(sql))
