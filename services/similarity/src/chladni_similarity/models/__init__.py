"""The models of this server: references, files, calibrated scores."""
