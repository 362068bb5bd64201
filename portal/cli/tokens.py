"""Tokens of the API, for operators."""

from __future__ import annotations

import uuid

import click
from flask.cli import with_appcontext

from portal import accounts
from portal.cli.users import find_user


@click.group()
def tokens() -> None:
    """Tokens with which programs use the API."""


@tokens.command("create")
@click.argument("email")
@click.option("--name", help="What the token is for, so that people know which one to revoke.")
@with_appcontext
def create(email: str, name: str | None) -> None:
    """Make a token of an account; it may what the account may, and is printed once."""
    shown, token = accounts.create_token(find_user(email), name=name)
    click.echo(f"{shown.id}  {token}   (shown only now)")


@tokens.command("list")
@click.argument("email")
@with_appcontext
def list_tokens(email: str) -> None:
    """Show the tokens of an account, newest first."""
    for shown in accounts.list_tokens(find_user(email)):
        used = f"{shown.last_used_at:%Y-%m-%d %H:%M}" if shown.last_used_at else "never"
        click.echo(
            f"{shown.id}  made {shown.inserted_at:%Y-%m-%d}  used {used:16}  {shown.name or ''}".rstrip()
        )


@tokens.command("revoke")
@click.argument("token_id", type=click.UUID)
@with_appcontext
def revoke(token_id: uuid.UUID) -> None:
    """Make a token worthless from the next request on."""
    accounts.revoke_token(token_id)
    click.echo(f"revoked {token_id}")
