"""The three services behind the gateway, played by a script.

For tests of the gateway and of what talks to it, and for work on the page without models. Each is a real
gRPC server on loopback with health; what it answers is decided by plain attributes.
"""

from chladni_fakes import families
from chladni_fakes.images import colored_png, solid_png, with_text
from chladni_fakes.servers import ScriptedBackends, scripted_backends

__all__ = ["ScriptedBackends", "colored_png", "families", "scripted_backends", "solid_png", "with_text"]
