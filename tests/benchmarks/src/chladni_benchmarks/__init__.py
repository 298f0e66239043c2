"""What `make bench` measures: one module a section, and what sections share.

A section is a module with two functions: ``measure(conditions)`` gives figures by name, and
``charts(figures)`` says how to draw them. `sections` lists them.
"""
