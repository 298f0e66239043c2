"""Adapters of the stores: what keeps images, jobs and counts, in this process or shared."""
