"""Alembic's entry: runs the migrations on the connection that `storage.migrate` hands over."""

from alembic import context
from sqlalchemy import Connection

VERSION_SCHEMA = "threadesk"


def run() -> None:
    connection: Connection | None = context.config.attributes.get("connection")
    if connection is None:
        msg = "Migrations are run by `python -m bot migrate`, which takes the lock they need."
        raise RuntimeError(msg)
    context.configure(connection=connection, version_table_schema=VERSION_SCHEMA)
    with context.begin_transaction():
        context.run_migrations()


run()
