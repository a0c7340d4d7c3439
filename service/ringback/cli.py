"""The command line. Exit codes: 0 ok, 1 failure, 2 usage or configuration error."""

import asyncio
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn, TextIO

import click

from ringback import __version__
from ringback.errors import RecordingError, RingbackError, SettingsError

__all__ = ["main"]

FAILURE = 1
MOST_RULES = 2
"""As many as are compared."""
USAGE = 2

_config = click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A TOML file; every option is in config/ringback.toml. The environment goes on top.",
)


class Instant(click.ParamType[datetime]):
    """An instant as RFC 3339, with its offset."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Read it; refuse one without an offset, which could be meant anywhere."""
        try:
            instant = datetime.fromisoformat(str(value))
        except ValueError:
            instant = None
        if instant is None or instant.tzinfo is None:
            self.fail(f"{value!r} is no instant such as 2026-11-22T18:00:00Z", param, ctx)
        return instant.astimezone(UTC)


@click.group(no_args_is_help=False, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ringback")
def ringback() -> None:
    """Follow every callback of a Genesys Cloud contact centre in real time."""


@ringback.command()
@click.option(
    "--role",
    "roles",
    multiple=True,
    help="On several machines: listen, track, serve, alert, or some of them. All by default.",
)
@_config
def run(config: Path | None, roles: tuple[str, ...]) -> None:
    """Run the daemon. Without any configuration it follows a contact centre that it simulates."""
    from ringback import settings
    from ringback.app import running
    from ringback.app.cluster import running as cluster
    from ringback.app.cluster.roles import roles_of
    from ringback.runtime.logs import configure_logging

    options = settings.load(config, os.environ)
    chosen = roles_of(roles, options)
    configure_logging(options.log.level, options.log.format)
    if options.store.kind == "jetstream":
        asyncio.run(cluster.run(options, chosen, sys.stdout))
    else:
        asyncio.run(running.run(options, sys.stdout))


@ringback.command()
@click.option(
    "--send-test", is_flag=True, help="Send each receiver a message that says it is a test."
)
@_config
def check(config: Path | None, *, send_test: bool) -> None:
    """Look at all that `run` needs, and say what to mend. Changes nothing.

    Settings, rules, store, source and receivers; for Genesys Cloud the login, clocks, queues,
    topics, permissions and budgets. Exit code 1 when something has to be mended before it works.
    """
    from ringback import settings
    from ringback.app import checking

    findings = asyncio.run(checking.check(settings.load(config, os.environ), send_test=send_test))
    checking.show(findings, sys.stdout)
    sys.stdout.flush()
    if checking.failed(findings):
        sys.exit(FAILURE)


@ringback.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="0 takes any free one.")
@click.option("--seed", type=int, help="Same seed, same run.")
@click.option(
    "--speed",
    type=float,
    help="Divides people's pauses; never a timer that the daemon also counts.",
)
@_config
def simulate(port: int, seed: int | None, speed: float | None, config: Path | None) -> None:
    """Run the simulated contact centre alone, for a daemon to listen to."""
    from ringback import settings
    from ringback.app import simulating
    from ringback.runtime.logs import configure_logging

    arguments = {"simulator.seed": seed, "simulator.speed": speed}
    options = settings.load(config, os.environ, arguments)
    configure_logging(options.log.level, options.log.format)
    asyncio.run(simulating.simulate(options, port, sys.stdout))


@ringback.command()
@click.argument(
    "files",
    metavar="FILE...",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False, readable=True),
)
@click.option(
    "--until",
    type=Instant(),
    help="Let time go on to here after the last record, or stop before later ones.",
)
@_config
def replay(files: tuple[Path, ...], until: datetime | None, config: Path | None) -> None:
    """Replay recordings through the same core in virtual time.

    CloudEvents as JSON lines on standard output and nothing else there; a summary on standard
    error. Exit code 1 when a line or a frame had to be skipped.
    """
    from ringback import settings
    from ringback.app import replaying

    def complain(error: RecordingError) -> None:
        click.echo(f"ringback: skipped {error}", err=True)

    player = replaying.replay(settings.load(config, os.environ), files, until, sys.stdout, complain)
    sys.stdout.flush()
    counts = player.counts
    stages = ", ".join(f"{count} {stage}" for stage, count in sorted(player.stages().items()))
    click.echo(
        f"{counts['records']} records, {counts['snapshot']} snapshots, {counts['events']} events,"
        f" {counts['skipped']} skipped; conversations: {stages or 'none'}",
        err=True,
    )
    if counts["skipped"]:
        sys.exit(FAILURE)


@ringback.command()
@click.argument(
    "files",
    metavar="FILE...",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False, readable=True),
)
@click.option(
    "--rules",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False, readable=True),
    help="A file of rules to try; a second one to compare it with. Without: those in force.",
)
@click.option(
    "--until",
    type=Instant(),
    help="Let time go on to here after the last record, or stop before later ones.",
)
@click.option("--json", "as_json", is_flag=True, help="All that was found, as JSON.")
@click.option(
    "--html",
    type=click.File("w", encoding="utf-8", lazy=False),
    help="Write a report with charts to this file; it stands on its own.",
)
@_config
def backtest(
    files: tuple[Path, ...],
    rules: tuple[Path, ...],
    until: datetime | None,
    *,
    as_json: bool,
    html: TextIO | None,
    config: Path | None,
) -> None:
    """Try rules on recordings: what would have alerted, when, and for how long.

    A table on standard output; with two files of rules also the difference. Exit code 1 when a
    line or a frame had to be skipped.
    """
    from ringback import settings
    from ringback.app import backtesting

    if len(rules) > MOST_RULES or len(set(rules)) != len(rules):
        raise click.UsageError("give one file of rules, or two different ones to compare")
    outcome = backtesting.backtest(
        settings.load(config, os.environ),
        rules,
        files,
        until,
        lambda error: click.echo(f"ringback: skipped {error}", err=True),
    )
    backtesting.tell(outcome, sys.stdout, as_json=as_json, html=html)
    if outcome.skipped:
        sys.exit(FAILURE)


_daemon = [
    click.option("--url", help="The daemon's address. By default that of the configuration."),
    click.option(
        "--token-file",
        type=click.Path(path_type=Path, dir_okay=False),
        help="A file that holds a token; or RINGBACK_TOKEN_FILE, or the token in RINGBACK_TOKEN.",
    ),
    click.option(
        "--ca-file",
        type=click.Path(path_type=Path, dir_okay=False),
        help="The authority that signed the daemon's certificate, where the machine has it not.",
    ),
    _config,
]


def _of_a_daemon(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say which daemon to look at."""
    for option in reversed(_daemon):
        command = option(command)
    return command


@ringback.command()
@click.argument("asked", metavar="ID")
@click.option("--json", "raw", is_flag=True, help="All of it, as the API gives it.")
@_of_a_daemon
def show(
    asked: str,
    url: str | None,
    token_file: Path | None,
    ca_file: Path | None,
    config: Path | None,
    *,
    raw: bool,
) -> None:
    """Show one callback of a running daemon: where it is, what comes next, how it came there.

    ID is a callback's or a conversation's id, or the part of it that no other open one has.
    """
    from ringback.app import looking

    client = looking.client_for(url, token_file, ca_file, config, os.environ)
    looking.show_callback(client, asked, sys.stdout, raw=raw)


@ringback.command()
@_of_a_daemon
def top(
    url: str | None, token_file: Path | None, ca_file: Path | None, config: Path | None
) -> None:
    """Watch the open callbacks of a running daemon: as they move, in order, filtered.

    What is stuck can be marked as seen. ? lists the keys.
    """
    from ringback.app import looking

    if not all(each.isatty() for each in (sys.stdin, sys.stdout, sys.stderr)):
        raise click.UsageError("it needs a terminal; scripts ask the API, see docs/api.md")
    looking.watch(looking.client_for(url, token_file, ca_file, config, os.environ))


@ringback.command()
@click.option(
    "--do", "chosen", metavar="ID", multiple=True, help="Disconnect this conversation; repeatable."
)
@click.option("--json", "raw", is_flag=True, help="All of the dry run, as the API gives it.")
@_of_a_daemon
def cleanup(
    chosen: tuple[str, ...],
    url: str | None,
    token_file: Path | None,
    ca_file: Path | None,
    config: Path | None,
    *,
    raw: bool,
) -> None:
    """List what is confirmed to be stuck; disconnect what you name.

    Without --do it is a dry run. With it, what you named is shown as it is now and, once you have
    typed yes, ended on the platform for good. Exit code 1 when not all of it was.
    """
    from ringback.app import looking

    def confirmed(count: int) -> bool:
        what = "this conversation" if count == 1 else f"these {count} conversations"
        said = f"This ends {what} for good, with all who are in it. Type yes to go on"
        return str(click.prompt(said, default="no", show_default=False, err=True)) == "yes"

    if chosen and raw:
        raise click.UsageError("--json is for the dry run")
    if chosen and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise click.UsageError("--do needs a terminal; scripts ask the API, see docs/cleanup.md")
    client = looking.client_for(url, token_file, ca_file, config, os.environ)
    if not chosen:
        looking.show_stuck(client, sys.stdout, raw=raw)
    elif not looking.disconnect(client, chosen, sys.stdout, confirmed):
        sys.exit(FAILURE)


@ringback.command()
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path, exists=True, dir_okay=False, readable=True),
    help="The database of a single machine, stopped before. Without: streams are made, no more.",
)
@click.option("--check", is_flag=True, help="Say what would be done, and do nothing.")
@click.option(
    "--history-hours",
    type=click.FloatRange(min=0),
    help="Carry only so much of the journal, and what receivers were not told yet. Default: all.",
)
@_config
def migrate(
    source: Path | None, history_hours: float | None, config: Path | None, *, check: bool
) -> None:
    """Carry a single machine's store into NATS JetStream; or only make what the daemons need there.

    The configuration is that of the daemons to come (store.kind = jetstream). The database is only
    read. What is in use already is refused; an interrupted run is gone on with by another.
    """
    from ringback import settings
    from ringback.app import migrating

    def progress(done: int, total: int) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r{done} of {total}", nl=done == total, err=True)

    options = settings.load(config, os.environ)
    asyncio.run(
        migrating.migrate(
            options,
            source,
            sys.stdout,
            check=check,
            history_hours=history_hours,
            progress=progress,
        )
    )


@ringback.command()
@click.option("--json", "raw", is_flag=True, help="All of it, as JSON.")
@_config
def status(config: Path | None, *, raw: bool) -> None:
    """Show who does what, where several processes share the work over NATS JetStream.

    Members with roles and versions, partitions with owners and how far they are, streams. Changes
    nothing. Exit code 1 when something has no owner or is far behind.
    """
    from ringback import settings
    from ringback.app import standing

    found = asyncio.run(standing.standing_of(settings.load(config, os.environ)))
    standing.show(found, sys.stdout, raw=raw)
    sys.stdout.flush()
    if found.problems:
        sys.exit(FAILURE)


@ringback.command()
@_config
def account(config: Path | None) -> None:
    """Print the account of this organisation for a NATS server, with a user for each role.

    Names, partitions and limits are those of the settings; docs/scaling.md says how it is used.
    """
    from ringback import settings
    from ringback.stores.jetstream.permissions import account

    options = settings.load(config, os.environ)
    click.echo(account(options.source.org, options.jetstream, options.source.name), nl=False)


@ringback.command()
def diagram() -> None:
    """Print the state machine, as Mermaid and as a table."""
    from ringback.core.diagram import document

    click.echo(document(), nl=False)


def main() -> None:
    """Run the command line; every error of ours is one line that says what to do."""
    # A closed descriptor is also the next to be given to a file, which would then be written over.
    if sys.stdout is None:
        _give_up("standard output is closed: redirect it, to /dev/null if need be", FAILURE)
    try:
        ringback.main(standalone_mode=False)
    except click.exceptions.Exit as exit_:
        sys.exit(exit_.exit_code)
    except click.ClickException as error:
        _give_up(_usage(error), USAGE)
    except click.Abort:
        sys.exit(FAILURE)
    except SettingsError as error:
        _give_up(str(error), USAGE)
    except RingbackError as error:
        _give_up(str(error), FAILURE)
    except OSError as error:
        # Files and sockets are dealt with where they are used; only what is printed comes to here.
        if error.filename is not None:
            raise
        # What is left in the buffer goes nowhere, lest the interpreter tries again as it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # whoever read it may have had enough
            sys.exit(FAILURE)
        _give_up(
            f"standard output cannot be written ({error.strerror}): check where it is redirected",
            FAILURE,
        )


def _give_up(said: str, code: int) -> NoReturn:
    click.echo(f"ringback: {said}", err=True)
    sys.exit(code)


def _usage(error: click.ClickException) -> str:
    """Say what is wrong with the arguments, and where to read how they should be."""
    said = " ".join(error.format_message().split())
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"{said.rstrip('.')}; see {context.command_path} --help" if context else said
