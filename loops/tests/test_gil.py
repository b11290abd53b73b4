"""Callbacks that are C only never reach the interpreter's eval loop: the loop must do its part.

Without that no other thread runs, Ctrl-C is not seen and, from 3.12 on, garbage is not collected.
"""

from __future__ import annotations

from loop_testing import process

# `again` is a chain that needs no bytecode: a partial of the loop's own call_soon, called with
# itself through a C-only indirection.
CHAIN = """
    import functools, itertools

    loop = new_loop()

    def c_only_chain():
        # Each call takes one item of the starmap, which calls loop.call_soon(step): all of it C.
        arguments = []
        again = itertools.starmap(loop.call_soon, itertools.repeat(arguments))
        step = functools.partial(next, again)
        arguments.append(step)
        return step
"""


def test_the_chain_is_c_only() -> None:
    """The other tests mean nothing if a frame of Python runs in each step."""
    said = process.output(
        CHAIN
        + """
    step = c_only_chain()
    loop.call_soon(step)
    frames = []

    def profile(frame, event, arg):
        if event == "call" and frame.f_code.co_filename == "<string>":
            frames.append(frame.f_code.co_name)

    loop.call_later(0.01, loop.stop)
    sys.setprofile(profile)
    loop.run_forever()
    sys.setprofile(None)
    print(len(frames))
    """
    )
    assert said == "0\n"


def test_another_thread_progresses() -> None:
    said = process.output(
        CHAIN
        + """
    progress = [0]

    def work():
        for _ in range(200_000):
            progress[0] += 1
        loop.call_soon_threadsafe(loop.stop)

    loop.call_soon(c_only_chain())
    thread = threading.Thread(target=work)
    thread.start()
    loop.run_forever()
    thread.join()
    print(progress[0])
    """
    )
    assert said == "200000\n"


def test_ctrl_c_is_seen() -> None:
    said = process.output(
        CHAIN
        + """
    main = threading.main_thread().ident
    started = threading.Event()

    def shoot():
        started.wait()
        os.kill(os.getpid(), signal.SIGINT)

    loop.call_soon(started.set)
    loop.call_soon(c_only_chain())
    threading.Thread(target=shoot).start()
    try:
        loop.run_forever()
    except KeyboardInterrupt:
        print("interrupted")
    """
    )
    assert said == "interrupted\n"


def test_signal_handlers_of_the_loop_run() -> None:
    said = process.output(
        CHAIN
        + """
    started = threading.Event()

    def shoot():
        started.wait()
        os.kill(os.getpid(), signal.SIGUSR1)

    loop.add_signal_handler(signal.SIGUSR1, loop.stop)
    loop.call_soon(started.set)
    loop.call_soon(c_only_chain())
    threading.Thread(target=shoot).start()
    loop.run_forever()
    print("stopped")
    """
    )
    assert said == "stopped\n"


def test_timers_and_descriptors_are_not_starved() -> None:
    said = process.output(
        CHAIN
        + """
    import socket
    left, right = socket.socketpair()
    seen = []

    def readable():
        right.recv(10)
        seen.append("readable")
        loop.call_later(0.001, timer)

    def timer():
        seen.append("timer")
        loop.stop()

    loop.add_reader(right, readable)
    loop.call_soon(c_only_chain())
    left.send(b"x")
    loop.run_forever()
    print(seen)
    """
    )
    assert said == "['readable', 'timer']\n"


def test_garbage_is_collected() -> None:
    """From 3.12 on the collector runs in the eval breaker, which C callbacks never reach."""
    said = process.output(
        CHAIN
        + """
    import gc
    gc.set_threshold(500, 10, 10)
    lists = []
    new_list = map(lists.append, map(list, itertools.repeat(())))
    arguments = []
    again = itertools.starmap(loop.call_soon, itertools.repeat(arguments))
    step = functools.partial(next, zip(new_list, again))  # a new list, then itself again
    arguments.append(step)
    gc.collect()
    gc.callbacks.append(lambda phase, info: loop.stop())
    loop.call_soon(step)
    loop.run_forever()
    print("collected", len(lists) < 100_000)
    """
    )
    assert said == "collected True\n"


def test_a_waiting_loop_lets_threads_run() -> None:
    """The wait in the kernel is made without the GIL."""
    said = process.output(
        """
        loop = new_loop()

        def work():
            total = sum(range(100_000))
            loop.call_soon_threadsafe(loop.stop)

        loop.call_soon(threading.Thread(target=work).start)
        loop.run_forever()
        print("ended")
        """
    )
    assert said == "ended\n"
