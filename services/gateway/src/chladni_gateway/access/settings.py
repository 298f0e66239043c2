"""Settings of who may use the gateway: its tokens, and an issuer of OpenID Connect."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, Final, Self

from pydantic import BeforeValidator, Field, model_validator

from chladni_gateway.access.authenticator import Authenticator
from chladni_gateway.access.oidc import Issuer, OidcVerifier
from chladni_gateway.access.principals import Scope
from chladni_gateway.access.token_file import TOKENS, TokenList, watched_tokens
from chladni_runtime.security.watched_files import WatchedFiles
from chladni_runtime.setting_faults import SettingConflictError
from chladni_runtime.settings import CallingServiceSettings, OptionalFile, check_files, split_list

_DAY_SECONDS: Final = 24 * 60 * 60
_ISSUER_PATTERN: Final = r"^(|https://.+|http://(localhost|127\.0\.0\.1)(:[0-9]+)?(/.*)?)$"


class AccessSettings(CallingServiceSettings):
    """Who may use the gateway."""

    token_file: OptionalFile = Field(
        None,
        description="File of tokens, a line for each, as chladni-gateway-token writes them; with it, "
        "requests need one. It is read again when it changes.",
    )
    oidc_issuer: str = Field(
        "",
        max_length=2048,
        pattern=_ISSUER_PATTERN,
        description="Issuer of OpenID Connect whose tokens are taken, as in their claim iss: an https "
        "address. With it, requests need a token.",
    )
    oidc_audience: str = Field(
        "", max_length=2048, description="What tokens of the issuer for this gateway have in their claim aud."
    )
    oidc_keys_url: str = Field(
        "",
        max_length=2048,
        pattern=_ISSUER_PATTERN,
        description="Where the keys of the issuer are; by default its own configuration says it.",
    )
    oidc_scope_prefix: str = Field(
        "chladni.",
        max_length=256,
        description="Beginning of this gateway's scopes in the claim scope: with the default, chladni.read "
        "and chladni.write.",
    )
    oidc_default_scopes: Annotated[tuple[Scope, ...], BeforeValidator(split_list)] = Field(
        (), description="Scopes of every token of the issuer, separated by commas: read, write."
    )
    oidc_key_seconds: float = Field(
        300.0, ge=1, le=_DAY_SECONDS, description="Time after which the issuer's keys are fetched again."
    )

    @cached_property
    def tokens(self) -> WatchedFiles[TokenList] | None:
        """The tokens of the file, read for the first time; `None` without one."""
        return watched_tokens(self.token_file) if self.token_file is not None else None

    @cached_property
    def authenticator(self) -> Authenticator:
        """What knows the tokens of the file and of the issuer."""
        issuer = Issuer(
            url=self.oidc_issuer,
            audience=self.oidc_audience,
            keys_url=self.oidc_keys_url,
            scope_prefix=self.oidc_scope_prefix,
            default_scopes=frozenset(self.oidc_default_scopes),
            key_seconds=self.oidc_key_seconds,
        )
        return Authenticator(tokens=self.tokens, oidc=OidcVerifier(issuer) if self.oidc_issuer else None)

    @property
    def watched_files(self) -> list[WatchedFiles[Any]]:
        """All files that are read again when they change."""
        return [*super().watched_files, *([self.tokens] if self.tokens else [])]

    @model_validator(mode="after")
    def _check_tokens(self) -> Self:
        check_files(lambda: self.tokens, {TOKENS: "token_file"})
        if self.oidc_issuer and not self.oidc_audience:
            raise SettingConflictError(
                "oidc_audience",
                "is missing: tokens for other servers would be taken. Set it to the audience "
                "of this one, as the claim aud has it.",
            )
        return self
