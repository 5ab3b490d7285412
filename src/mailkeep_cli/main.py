"""`mailkeep`: the commands, and how an error ends one."""

from __future__ import annotations

import sys

import typer

from mailkeep import __version__
from mailkeep.errors import MailkeepError
from mailkeep_cli import (
    accounts,
    audit,
    billing,
    blobs,
    configuration,
    daemons,
    database,
    incident,
    keys,
    mail,
    postfix,
    retention,
    scanning,
    serve,
    tokens,
    usage,
    users,
)

EXIT_WRONG = 2

app = typer.Typer(
    name="mailkeep",
    help="Receives email for the systems you test and makes it safe to look at.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(serve.serve)
app.command()(daemons.mxd)
app.command(hidden=True)(daemons.mxd_worker)
app.command()(daemons.api)
app.add_typer(database.commands, name="db", help="The database.", no_args_is_help=True)
app.add_typer(users.commands, name="user", help="Customers and who logs in for them.", no_args_is_help=True)
app.add_typer(accounts.commands, name="account", help="Customers' accounts.", no_args_is_help=True)
app.add_typer(tokens.commands, name="token", help="Tokens for Mailkeep's own services.", no_args_is_help=True)
app.add_typer(incident.commands, name="incident", help="After a break-in.", no_args_is_help=True)
app.add_typer(audit.commands, name="audit", help="The audit log.", no_args_is_help=True)
app.add_typer(billing.commands, name="billing", help="Payments by Stripe.", no_args_is_help=True)
app.add_typer(keys.commands, name="keys", help="The keys that sign log-ins.", no_args_is_help=True)
app.add_typer(configuration.commands, name="config", help="The configuration.", no_args_is_help=True)
app.add_typer(postfix.commands, name="postfix", help="Postfix in front of mxd.", no_args_is_help=True)
app.add_typer(scanning.commands, name="scan", help="The malware scanner.", no_args_is_help=True)
app.add_typer(retention.commands, name="retention", help="Messages that have expired.", no_args_is_help=True)
app.add_typer(blobs.commands, name="blobs", help="The stored bytes.", no_args_is_help=True)
app.add_typer(usage.commands, name="usage", help="What customers use.", no_args_is_help=True)
app.add_typer(mail.commands, name="mail", help="Mail to try things with.", no_args_is_help=True)


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def main() -> None:
    """The entry point: an error that we know is one line on standard error and exit code 2."""
    try:
        app()
    except MailkeepError as error:
        typer.echo(f"mailkeep: {error}", err=True)
        sys.exit(EXIT_WRONG)
