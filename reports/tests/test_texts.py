from __future__ import annotations

from loopgauge.reports.conformance.texts import printable, without_runner

TRACEBACK = """\
Traceback (most recent call last):
  File "/opt/venv/lib/python3.13/site-packages/loopgauge/conformance/runner/body.py", line 82, in x
    step()
    ~~~~^^
  File "/opt/venv/lib/python3.13/site-packages/loopgauge/conformance/case.py", line 62, in run
    self.body(trial)
  File "/opt/checkout/loopgauge/conformance/cases/soon.py", line 9, in order
    t.run(main())
  File "/usr/lib/python3.13/asyncio/base_events.py", line 721, in run_until_complete
    return future.result()
  File "uvloop/loop.pyx", line 1515, in uvloop.loop.Loop.run_until_complete
ValueError: File "x"
"""


def test_frames_of_the_runner_are_left_out() -> None:
    assert (
        without_runner(TRACEBACK)
        == """\
Traceback (most recent call last):
  File "loopgauge/conformance/cases/soon.py", line 9, in order
    t.run(main())
  File "asyncio/base_events.py", line 721, in run_until_complete
    return future.result()
  File "uvloop/loop.pyx", line 1515, in uvloop.loop.Loop.run_until_complete
ValueError: File "x"
"""
    )


def test_so_they_are_in_a_stack() -> None:
    stack = """\
Thread 0x00007f (most recent call first):
  File "/a/loopgauge/conformance/cases/sign.py", line 227 in signal
  File "/a/loopgauge/conformance/runner/body.py", line 64 in <lambda>
  File "<frozen runpy>", line 88 in _run_code

Thread 0x00007e (most recent call first):
  File "/usr/lib/python3.13/threading.py", line 1 in wait
"""
    assert (
        without_runner(stack)
        == """\
Thread 0x00007f (most recent call first):
  File "loopgauge/conformance/cases/sign.py", line 227 in signal

Thread 0x00007e (most recent call first):
  File "threading.py", line 1 in wait
"""
    )


def test_control_characters_become_escapes_and_letters_stay() -> None:
    assert printable("\x1b[31m\u202e \u2028é \U0001f525\n") == (
        r"\x1b[31m\u202e \u2028é " + "\U0001f525\n"
    )
