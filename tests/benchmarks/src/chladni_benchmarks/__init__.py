"""The measurements of `make bench`.

A section is a module of `sections` with two functions: ``measure(conditions)`` returns figures by name, and
``charts(figures)`` returns charts of them. `services` starts the services under measurement and builds
requests to them, `workers` are programs that run in processes of their own, `models` are untrained models,
and `reports` shows the results.
"""
