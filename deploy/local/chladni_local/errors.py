"""Why the services cannot run.

ClusterError
├── InvalidPortError      an environment variable does not hold a port
├── PortTakenError        another program has a port
├── ServiceEndedError     a service ended by itself
└── StartTimeoutError     a service was not ready in time
"""

from __future__ import annotations


class ClusterError(Exception):
    """The services cannot run; the message is for people."""


class InvalidPortError(ClusterError):
    """An environment variable does not hold a port."""


class PortTakenError(ClusterError):
    """Another program has a port."""


class ServiceEndedError(ClusterError):
    """A service ended by itself; the message holds the last lines of its log."""


class StartTimeoutError(ClusterError):
    """A service was not ready in time; the message holds the last lines of its log."""
