"""What happens in a service, seen from outside: traces, times of stages, memory.

Code that works knows `scope` alone, and neither a metrics nor a tracing library.
"""
