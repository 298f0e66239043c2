"""Jobs that make what the embedded models ship with: they import serving code, never the reverse."""
