"""A gateway that follows a script: the other side of the wire, for tests of clients."""
