"""`python -m chladni_gateway` runs the service until SIGTERM."""

from __future__ import annotations

from chladni_gateway.composition import SERVICE_NAMES, compose
from chladni_gateway.config import GatewaySettings
from chladni_gateway.grpc_api.callers.authentication import call_authentication
from chladni_gateway.stores import CallLimiter
from chladni_runtime.server.server import request_gate, run_service
from chladni_runtime.settings import load_settings_or_exit


def main() -> None:
    """Run the service with settings from the environment."""
    settings = load_settings_or_exit(GatewaySettings)
    gate = request_gate(settings)
    calls = CallLimiter(settings)
    run_service(
        settings,
        name="gateway",
        service_names=SERVICE_NAMES,
        compose=compose(settings, gate=gate, calls=calls),
        gate=gate,
        authenticate=call_authentication(settings.authenticator, check_rate=calls.check),
    )


if __name__ == "__main__":
    main()
