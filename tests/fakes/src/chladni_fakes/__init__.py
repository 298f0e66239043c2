"""Scripted stand-ins for the three services behind the gateway, and loopback servers for tests.

They serve tests of the gateway and its clients, and work on the page without models. Each is a real gRPC
server on loopback with health; plain attributes decide what it answers.
"""

from __future__ import annotations

from chladni_fakes import families
from chladni_fakes.images import colored_png, solid_png, with_text
from chladni_fakes.servers import ScriptedBackends, scripted_backends

__all__ = ["ScriptedBackends", "colored_png", "families", "scripted_backends", "solid_png", "with_text"]
