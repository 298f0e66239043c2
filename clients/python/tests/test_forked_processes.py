"""Clients in forked processes: refused at once, with what to do."""

from __future__ import annotations

import subprocess
import sys
import textwrap

PROGRAM = textwrap.dedent(
    """
    import os, signal, sys
    from chladni_client import Client

    target, has_called = sys.argv[1], sys.argv[2] == "called"
    client = Client(target)
    if has_called:
        client.list_recipes()
    for is_own in (False, True):
        child = os.fork()
        if child == 0:
            signal.alarm(10)
            try:
                used = Client(target) if is_own else client
                print(len(used.list_recipes()), flush=True)
            except RuntimeError as error:
                print(error, flush=True)
            del client  # neither does the end of the parent's one touch what stayed behind
            sys.exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    print(len(client.list_recipes()))
    """
)


def run_program(target, state):
    command = [sys.executable, "-c", PROGRAM, target, state]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=40, check=False)
    return ended.stdout.splitlines(), ended.stderr


def test_a_process_forked_after_a_call_is_told_what_to_do(target):
    lines, stderr = run_program(target, "called")
    assert len(lines) == 5, stderr
    with_the_parents, status, with_its_own, other_status, parent = lines
    assert with_the_parents.startswith("this client was made before this process was forked")
    assert with_its_own.startswith("this process was forked from one whose client had made calls")
    assert all("get_context('spawn')" in line for line in (with_the_parents, with_its_own))
    assert (status, other_status, parent) == ("0", "0", "2"), stderr


def test_a_process_forked_before_any_call_needs_a_client_of_its_own(target):
    lines, stderr = run_program(target, "unused")
    assert len(lines) == 5, stderr
    assert lines[0].startswith("this client was made before this process was forked")
    assert lines[1:] == ["0", "2", "0", "2"], stderr
