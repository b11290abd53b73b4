"""What a closed loop left behind is found and named."""

from __future__ import annotations

import asyncio
import os
import threading
import time

import pytest

from loopgauge.harness.worker import leftovers


def test_what_was_closed_is_gone() -> None:
    threads, files = leftovers.threads(), leftovers.open_files()
    loop = asyncio.SelectorEventLoop()
    loop.run_until_complete(loop.run_in_executor(None, time.monotonic))
    loop.close()  # shuts the executor down without waiting for its thread
    assert leftovers.after_close(threads, files) == []


def test_a_descriptor_and_a_thread_are_named() -> None:
    threads, files = leftovers.threads(), leftovers.open_files()
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait, daemon=True)
    thread.start()
    fd = os.eventfd(0)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(leftovers, "PATIENCE_S", 0.0)
            left = leftovers.after_close(threads, files)
    finally:
        os.close(fd)
        stop.set()
        thread.join()
    assert len(left) == 2
    assert "1 running thread" in left[0]
    assert f"descriptor {fd} (anon_inode:[eventfd])" in left[1]


def test_a_busy_thread_is_named() -> None:
    stop = threading.Event()

    def burn() -> None:
        while not stop.is_set():
            pass

    thread = threading.Thread(target=burn)
    thread.start()
    try:
        [line] = leftovers.busy_at_rest()
    finally:
        stop.set()
        thread.join()
    assert "helper threads use" in line
