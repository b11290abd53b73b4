"""LIFE: loops and threads, forked children, and the end of the interpreter."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.forks import in_child
from loopgauge.conformance.trial import Trial


def joined(thread: threading.Thread) -> bool:
    thread.join(5)
    return not thread.is_alive()


def end(future: asyncio.Future[None]) -> None:
    """A reader's callback: it may be called again before it is removed."""
    if not future.done():
        future.set_result(None)


@case("LIFE-028.made-here", expected="the loop works in the thread that runs it")
def made_here_run_there(t: Trial) -> None:
    """A loop is made in the main thread. Another thread runs a coroutine, a timer and work in an
    executor on it, and the main thread closes it."""
    loop = t.loop
    seen: dict[str, Any] = {}

    async def main() -> None:
        seen["running loop"] = asyncio.get_running_loop()
        seen["thread"] = threading.get_ident()
        await asyncio.sleep(0.001)
        seen["executor"] = await loop.run_in_executor(None, len, "abc")
        await loop.shutdown_default_executor()

    thread = t.thread(lambda: loop.run_until_complete(main()))
    t.true("the thread ended", joined(thread))
    t.true("the running loop in the thread was the loop", seen.get("running loop") is loop)
    t.equal("the thread that ran it", seen.get("thread"), thread.ident)
    t.equal("the executor's answer", seen.get("executor"), 3)
    t.equal("is_running() in the main thread", loop.is_running(), False)
    loop.close()
    t.equal("is_closed()", loop.is_closed(), True)


@case("LIFE-028.made-there", expected="the loop works in the main thread")
def made_there_run_here(t: Trial) -> None:
    """A loop is made in another thread, which ends; the main thread runs and closes it."""
    made: list[asyncio.AbstractEventLoop] = []
    t.true("the thread ended", joined(t.thread(lambda: made.append(t.factory()))))
    (loop,) = made

    async def main() -> object:
        await asyncio.sleep(0.001)
        return asyncio.get_running_loop()

    t.true("the running loop is the loop", loop.run_until_complete(main()) is loop)
    loop.close()
    t.equal("is_closed()", loop.is_closed(), True)


@case("LIFE-028.turns", expected="every run is in its own thread, and what was pending is run")
def run_in_one_thread_after_the_other(t: Trial) -> None:
    """The main thread runs a loop, then another thread does, then the main thread again. Each run
    schedules a callback for the next."""
    seen: list[int] = []

    def turn() -> None:
        t.loop.call_soon(lambda: seen.append(threading.get_ident()))
        t.spin()

    turn()
    thread = t.thread(turn)
    t.true("the thread ended", joined(thread))
    turn()
    here = threading.get_ident()
    t.equal("the threads that ran them", seen, [here, thread.ident, here])


@case("LIFE-029.threads", expected="every loop runs its own callbacks, in its own thread")
def loops_in_several_threads(t: Trial) -> None:
    """Four threads each run a loop of their own, all at the same time: each loop has callbacks,
    timers, a descriptor and an executor, and sends the next loop a callback."""
    count = 4
    loops = [t.factory() for _ in range(count)]
    barrier = threading.Barrier(count)
    wrong: list[str] = []
    finished: list[int] = []

    def check(index: int, what: str) -> None:
        if asyncio.get_running_loop() is not loops[index]:
            wrong.append(f"{what} of loop {index} on another loop")

    async def main(index: int) -> None:
        loop = asyncio.get_running_loop()
        readable: asyncio.Future[None] = loop.create_future()
        neighbour: asyncio.Future[None] = loop.create_future()
        arrived.append((index, neighbour))
        await loop.run_in_executor(None, barrier.wait, 5)  # all loops run now
        mine = [future for number, future in arrived if number == (index + 1) % count]
        loops[(index + 1) % count].call_soon_threadsafe(mine[0].set_result, None)
        ours, peer = socket.socketpair()
        with ours, peer:
            loop.add_reader(ours.fileno(), end, readable)
            peer.send(b"x")
            await readable
            check(index, "reader")
            loop.remove_reader(ours.fileno())
        for _ in range(20):
            await asyncio.sleep(0)
            check(index, "task")
        await asyncio.sleep(0.002)
        check(index, "timer")
        await neighbour
        check(index, "callback of the neighbour")
        await loop.shutdown_default_executor()
        finished.append(index)

    arrived: list[tuple[int, asyncio.Future[None]]] = []
    threads = [
        t.thread(lambda index=index: loops[index].run_until_complete(main(index)))
        for index in range(count)
    ]
    t.true("all threads ended", all(map(joined, threads)))
    t.equal("what ran on a wrong loop", wrong, [])
    t.equal("loops that finished", sorted(finished), list(range(count)))


@case("LIFE-030.coroutine", expected="no running loop in the child; the parent's goes on")
def fork_in_a_coroutine(t: Trial) -> None:
    """A coroutine forks; the child asks for the running loop."""

    def child() -> str:
        try:
            return f"running loop: {asyncio.get_running_loop()!r}"
        except RuntimeError:
            return "RuntimeError"

    async def main() -> str:
        heard = in_child(child)
        t.true("the parent's loop still runs", asyncio.get_running_loop() is t.loop)
        await asyncio.sleep(0.001)
        return heard

    t.equal("get_running_loop() in the child", t.loop.run_until_complete(main()), "RuntimeError")


@case("LIFE-030.callback", expected="no running loop in the child; the parent's goes on")
def fork_in_a_callback(t: Trial) -> None:
    """A callback forks; the child asks for the running loop."""
    heard: list[str] = []
    t.loop.call_soon(lambda: heard.append(in_child(lambda: str(asyncio._get_running_loop()))))
    t.loop.call_soon(t.event, "next callback")
    t.spin()
    t.equal("_get_running_loop() in the child", heard, ["None"])
    t.saw("next callback")


def run_a_new_loop(t: Trial) -> str:
    """In the child: a loop of its own with a timer, a thread's call, and a descriptor."""

    async def main() -> str:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0.001)
        called = loop.create_future()
        thread = threading.Thread(target=loop.call_soon_threadsafe, args=(called.set_result, 1))
        thread.start()
        await called
        thread.join()
        ours, peer = socket.socketpair()
        readable = loop.create_future()
        loop.add_reader(ours.fileno(), end, readable)
        peer.send(b"x")
        await readable
        loop.remove_reader(ours.fileno())
        ours.close()
        peer.close()
        return "the child's loop works"

    loop = t.factory()
    text = loop.run_until_complete(main())
    loop.close()
    return text


@case("LIFE-031.idle", expected="both loops work")
def new_loop_in_a_child(t: Trial) -> None:
    """A process with a loop that ran, and does not run now, forks; the child makes a new one."""
    t.loop.run_until_complete(asyncio.sleep(0.001))
    t.equal("from the child", in_child(lambda: run_a_new_loop(t)), "the child's loop works")
    t.equal("from the parent", t.loop.run_until_complete(asyncio.sleep(0.001, "works")), "works")


@case("LIFE-031.running", expected="both loops work")
def new_loop_in_a_child_of_a_running_loop(t: Trial) -> None:
    """A coroutine forks; the child makes and runs a new loop, inside the call that forked."""

    async def main() -> str:
        heard = in_child(lambda: run_a_new_loop(t))
        await asyncio.sleep(0.001)
        return heard

    t.equal("from the child", t.loop.run_until_complete(main()), "the child's loop works")


@case("LIFE-031.untouched", expected="the parent's reader, timer and wake-up still work")
def parent_after_a_child(t: Trial) -> None:
    """A loop watches a socket and has a timer. A child runs and closes a loop of its own and
    ends; then the socket becomes readable in the parent."""
    ours, peer = socket.socketpair()
    with ours, peer:
        readable = t.loop.create_future()
        t.loop.add_reader(ours.fileno(), end, readable)
        timer = t.loop.create_future()
        t.loop.call_later(0.01, timer.set_result, None)
        t.equal("from the child", in_child(lambda: run_a_new_loop(t)), "the child's loop works")
        peer.send(b"x")
        t.loop.run_until_complete(readable)
        t.loop.remove_reader(ours.fileno())
    t.loop.run_until_complete(timer)
    thread = t.thread(t.loop.call_soon_threadsafe, t.loop.stop)
    t.loop.run_forever()
    thread.join()
    t.equal("is_running() at the end", t.loop.is_running(), False)


@case("LIFE-031.run", expected="asyncio.run() works in the child")
def asyncio_run_in_a_child(t: Trial) -> None:
    """A coroutine forks; the child calls asyncio.run() with the loop under test."""

    def child() -> str:
        run: Any = asyncio.run
        text: str = run(asyncio.sleep(0.001, "works"), loop_factory=t.factory)
        return text

    async def main() -> str:
        return in_child(child)

    t.equal("from the child", t.loop.run_until_complete(main()), "works")


def own_firstiter(generator: object) -> None:
    """Stands for the hook of a program's own."""


def own_finalizer(generator: object) -> None:
    """Stands for the hook of a program's own."""


@case("LIFE-032.hooks", expected="the loop's own hooks inside, those from before afterwards")
def asyncgen_hooks_around_a_run(t: Trial) -> None:
    """A program has set hooks for async generators. They are looked at in a run, and after it."""

    async def main() -> Any:
        return sys.get_asyncgen_hooks()

    before = sys.get_asyncgen_hooks()
    try:
        sys.set_asyncgen_hooks(own_firstiter, own_finalizer)
        inside = t.loop.run_until_complete(main())
        after = sys.get_asyncgen_hooks()
    finally:
        sys.set_asyncgen_hooks(*before)
    t.true("firstiter inside is the loop's", inside.firstiter not in (None, own_firstiter))
    t.true("finalizer inside is the loop's", inside.finalizer not in (None, own_finalizer))
    t.true("firstiter is restored", after.firstiter is own_firstiter)
    t.true("finalizer is restored", after.finalizer is own_finalizer)


@case("LIFE-032.exception", expected="None, None: what was there before")
def asyncgen_hooks_after_an_exception(t: Trial) -> None:
    """A callback raises SystemExit out of run_forever; no hooks were set before."""

    def leave() -> None:
        raise SystemExit

    t.loop.call_soon(leave)
    with t.raises(SystemExit):
        t.loop.run_forever()
    t.equal("the hooks", tuple(sys.get_asyncgen_hooks()), (None, None))


@case("LIFE-032.forever", expected="the hooks are set in callbacks of run_forever, too")
def asyncgen_hooks_in_run_forever(t: Trial) -> None:
    """A callback looks at the hooks in two runs of run_forever."""
    seen: list[bool] = []
    for _ in range(2):
        t.loop.call_soon(lambda: seen.append(sys.get_asyncgen_hooks().firstiter is not None))
        t.spin()
        t.equal("the hooks afterwards", tuple(sys.get_asyncgen_hooks()), (None, None))
    t.equal("set in the callback", seen, [True, True])


@case("LIFE-033.seams", expected="recorded: whether the two methods exist")
def setup_and_cleanup(t: Trial) -> None:
    """Subclasses for graphical toolkits drive CPython's loop by _run_forever_setup and
    _run_forever_cleanup, which no documentation promises."""
    names = ("_run_forever_setup", "_run_forever_cleanup")
    t.note("there", [name for name in names if hasattr(t.loop, name)])
    t.true("they were looked for", True)


EXITS = {
    "unused": "loop = new_loop()",
    "pending": (
        "loop = new_loop()\n"
        "loop.call_soon(print, 'never')\n"
        "loop.call_later(3600, print, 'never')\n"
        "import asyncio\n"
        "loop.run_until_complete(asyncio.sleep(0.001))"
    ),
    "reader": (
        "import asyncio, socket\n"
        "loop = new_loop()\n"
        "pair = socket.socketpair()\n"
        "loop.add_reader(pair[0].fileno(), print)\n"
        "loop.run_until_complete(asyncio.sleep(0.001))"
    ),
    "task": (
        "import asyncio\n"
        "loop = new_loop()\n"
        "task = loop.create_task(asyncio.sleep(3600))\n"
        "loop.run_until_complete(asyncio.sleep(0.001))"
    ),
    "thread": (
        "import threading\n"
        "loop = new_loop()\n"
        "running = threading.Event()\n"
        "loop.call_soon(running.set)\n"
        "threading.Thread(target=loop.run_forever, daemon=True).start()\n"
        "running.wait(5)"
    ),
    "busy-thread": (
        "import threading\n"
        "loop = new_loop()\n"
        "running = threading.Event()\n"
        "def again():\n"
        "    running.set()\n"
        "    loop.call_soon(again)\n"
        "loop.call_soon(again)\n"
        "threading.Thread(target=loop.run_forever, daemon=True).start()\n"
        "running.wait(5)"
    ),
    "closed": "loop = new_loop()\nloop.close()",
}


@case("LIFE-034.exits", variants=tuple(EXITS), expected="the interpreter ends, with status 0")
def interpreter_exit(t: Trial, state: str) -> None:
    """A fresh interpreter ends while its loop is unused, has work pending, watches a descriptor,
    has a task, runs in a daemon thread (waiting, or busy), or is closed."""
    ended = t.python(EXITS[state])
    if ended.returncode:
        t.note("stderr", ended.stderr[-2000:])
    t.equal("exit status", ended.returncode, 0)
