"""Unfinished denoising, written at intervals, so that a request that comes again after a kill goes on."""
