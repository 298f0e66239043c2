"""Who a call comes from: the unguessable token to which images and jobs belong.

It is the value of the page's cookie too, so that a program can work on the images of a page. The server
keeps its SHA-256, the *owner*, from which the token does not follow. If the server wants bearer tokens, the
owner is whom that token stands for instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc

from chladni_contract.errors import InvalidInputError, Reason
from chladni_contract.metadata import SESSION_TOKEN_KEY
from chladni_gateway.access.principals import PRINCIPAL
from chladni_gateway.sessions import is_token, owner_of_token
from chladni_runtime.server.request_context import caller_of as caller_by_host
from chladni_runtime.server.request_context import metadata_value

if TYPE_CHECKING:
    from chladni_gateway.sessions import SessionTokens


@dataclass(frozen=True, slots=True)
class CallSession:
    """Who a call comes from.

    Attributes:
        owner: The owner; empty if the call has no token.
        new_token: Token that was drawn for this call; empty if it brought one or needs none.
    """

    owner: str
    new_token: str = ""


def session_of_call(context: grpc.aio.ServicerContext[Any, Any]) -> CallSession:
    """Return the session of a call.

    Raises:
        InvalidInputError: The metadata holds something else than a token.
    """
    if (principal := PRINCIPAL.get()) is not None:
        return CallSession(principal.owner)
    token = metadata_value(context, SESSION_TOKEN_KEY)
    if not token:
        return CallSession("")
    if isinstance(token, bytes) or not is_token(token):
        raise InvalidInputError(
            Reason.INVALID_FIELD,
            f"The metadata {SESSION_TOKEN_KEY} holds no token; send 43 to 128 letters, digits, '-' "
            "or '_' that nobody can guess, or nothing to get one.",
            field=f"metadata.{SESSION_TOKEN_KEY}",
        )
    return CallSession(owner_of_token(token))


def creating_session_of_call(
    context: grpc.aio.ServicerContext[Any, Any], tokens: SessionTokens
) -> CallSession:
    """Return the session of a call that creates something, with a new token if the call brought none.

    Args:
        context: The call.
        tokens: Issues tokens.

    Raises:
        InvalidInputError: The metadata holds something else than a token.
    """
    session = session_of_call(context)
    if session.owner:
        return session
    token = tokens.draw()
    return CallSession(owner_of_token(token), token)


def caller_of(context: grpc.aio.ServicerContext[Any, Any]) -> str:
    """Return who calls, for the fair share: the owner of the token, or as the runtime has it.

    Raises:
        InvalidInputError: The identifier in the metadata is too long or not printable ASCII.
    """
    principal = PRINCIPAL.get()
    return caller_by_host(context) if principal is None else principal.owner
