"""Models as the engine sees them: interface, files, loading, precision, schedulers."""
