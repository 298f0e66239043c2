"""Bounded work, deadlines and cancellation."""
