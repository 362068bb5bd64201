"""People: accounts, log-in sessions, superuser rights."""

from portal.accounts import policies as _policies  # noqa: F401 - registers the permissions
from portal.accounts.commands import change_password, create_user, make_password, sign_in
from portal.accounts.inputs import Email, LogIn, NewPassword, NewUser
from portal.accounts.models import AccountRole, User, UserToken
from portal.accounts.queries import actor_of, find_by_email, first_superuser, superuser_exists
from portal.accounts.sessions import delete_expired_tokens, end_session, start_session, user_of_session
from portal.accounts.tokens import ApiToken, create_token, list_tokens, revoke_token, user_of_token

__all__ = [
    "AccountRole",
    "ApiToken",
    "Email",
    "LogIn",
    "NewPassword",
    "NewUser",
    "User",
    "UserToken",
    "actor_of",
    "change_password",
    "create_token",
    "create_user",
    "delete_expired_tokens",
    "end_session",
    "find_by_email",
    "first_superuser",
    "list_tokens",
    "make_password",
    "revoke_token",
    "sign_in",
    "start_session",
    "superuser_exists",
    "user_of_session",
    "user_of_token",
]
