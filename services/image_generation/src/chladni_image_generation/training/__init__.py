"""Jobs that make the embedded image model: they import serving code, never the reverse."""
