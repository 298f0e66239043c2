"""Programs that the measurements run in processes of their own: bare baselines, and clients.

What is measured must not share an interpreter with what it is measured against, nor with its caller.
"""
