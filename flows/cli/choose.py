"""The commands that keep and choose builds: a home and a name come in, another build is served."""

from typing import Annotated

import typer

from flows.cli.terminal import Home, app, home_of, out, reported_errors, settings_of, table_of


@app.command()
def builds(
    keep: Annotated[
        int | None,
        typer.Option(min=1, help="Delete all but this many, besides those that stay anyway."),
    ] = None,
    home: Home = None,
) -> None:
    """List the builds on disk, newest last.

    What is served, pinned, waiting to be published or open in a site stays anyway.
    """
    from warehouse import release
    from warehouse.choices import read_choices

    with reported_errors():
        place = home_of(settings_of(home=home))
        if keep is not None:
            with release.held(place, "prune"):
                gone = release.prune(place, keep)
            out.print(f"Deleted: {', '.join(gone) or 'none'}")
        table = table_of("build", "published (UTC)", "songs", "rejected", "seconds", "is")
        current, choices = place.current.resolve().name, read_choices(place.root)
        for manifest in release.builds(place):
            hold = choices.hold_on(manifest.build_id)
            marks = {
                "served": manifest.name == current,
                "pinned": manifest.name in choices.pinned,
                hold.kind if hold else "": hold is not None and manifest.name == hold.build,
            }
            table.add_row(
                manifest.name,
                f"{manifest.published_at[:10]} {manifest.published_at[11:16]}",
                f"{manifest.counts['songs']:,}",
                f"{manifest.counts['rejected']:,}",
                f"{sum(manifest.seconds.values()):.1f}",
                ", ".join(mark for mark, holds in marks.items() if holds),
            )
        out.print(table)


@app.command()
def rollback(
    name: Annotated[str | None, typer.Argument(help="A build listed by `segue builds`.")] = None,
    home: Home = None,
) -> None:
    """Go back to an earlier build: the one named, or the one before the current one.

    What was served is held back: it is not published again by itself, until `segue publish` or
    until its sources, the code or the settings change.
    """
    from warehouse import operate

    with reported_errors():
        target, before, hold = operate.roll_back(home_of(settings_of(home=home)), name)
        out.print(f"Now serving {target} (was {before}).")
        if hold:
            out.print(f"Held back from now on: {hold.build}. To serve it again:")
            out.print(f"segue publish {hold.build}")


@app.command()
def publish(
    name: Annotated[str | None, typer.Argument(help="A build listed by `segue builds`.")] = None,
    home: Home = None,
) -> None:
    """Serve a build that is waiting or held back: the one named, or the newest."""
    from warehouse import operate

    with reported_errors():
        out.print(f"Now serving {operate.publish(home_of(settings_of(home=home)), name).name}.")


@app.command()
def pin(
    name: Annotated[str, typer.Argument(help="A build listed by `segue builds`.")],
    remove: Annotated[bool, typer.Option("--remove", help="Let it be deleted again.")] = False,
    home: Home = None,
) -> None:
    """Keep a build, however many follow."""
    from warehouse import operate

    with reported_errors():
        operate.pin(home_of(settings_of(home=home)), name, pinned=not remove)
        out.print(f"{name} is {'no longer ' if remove else ''}pinned.")
