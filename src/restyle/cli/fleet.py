"""``restyle fleet``: the machines that share one database, and the database's revision."""

from typing import Annotated

import typer

from restyle.cli.output import AsJson, read_settings, say_json, say_table, show_help

app = typer.Typer(help="Machines that share a database, and its revision.", invoke_without_command=True)

app.callback()(show_help)


@app.command("machines")
def list_machines(as_json: AsJson = False) -> None:
    """The machines of the fleet: what they are, and how long ago they were heard."""
    import sqlalchemy as sa

    from restyle.database import machines, open_database, reading, tasks

    db = open_database(read_settings().database())
    running = (
        sa.select(sa.func.count())
        .where(tasks.c.machine == machines.c.id, tasks.c.status == "Running", tasks.c.claim.is_not(None))
        .scalar_subquery()
    )
    now = sa.func.extract("epoch", sa.func.clock_timestamp()) if db.dialect.name == "postgresql" else sa.literal(0.0)
    query = sa.select(machines, running.label("running"), (now - machines.c.heard).label("silent"))
    try:
        with reading(db) as connection:
            found = connection.execute(query.order_by(machines.c.id)).all()
    finally:
        db.dispose()
    if as_json:
        say_json(
            [
                {
                    "ID": each.id,
                    "Name": each.name,
                    "Role": each.role,
                    "Version": each.version,
                    "Ready": each.ready,
                    "Device": each.device,
                    "FreeMemory": each.free_memory,
                    "Workers": each.slots,
                    "Running": each.running,
                    "Engines": each.offer["families"],
                    "Files": each.offer["files"],
                    "Loaded": each.loaded,
                    "Silent": round(each.silent, 1),
                }
                for each in found
            ]
        )
        return
    rows = [
        (
            each.id,
            each.name,
            each.role,
            "ready" if each.ready else "not ready",
            f"{each.running}/{each.slots}",
            f"{each.silent:.0f} s",
            ", ".join(each.offer["families"]) or "-",
        )
        for each in found
    ]
    say_table(("ID", "NAME", "ROLE", "STATE", "RUNNING", "HEARD", "ENGINES"), rows)


@app.command("migrate")
def migrate(
    revision: Annotated[
        str, typer.Argument(help="The revision, r0003 for one; the newest unless given.", show_default=False)
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Bring the database to a revision, forwards or back: back before an older release is put in place again."""
    from restyle.database import migrate as bring

    now = bring(read_settings().database(), revision)
    say_json({"Revision": now}) if as_json else typer.echo(f"the database is at revision {now}")
