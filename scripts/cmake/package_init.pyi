from loopgauge import _core as _core
from loopgauge.loops.epoll import EventLoop as EventLoop
from loopgauge.loops.epoll import EventLoopPolicy as EventLoopPolicy
from loopgauge.loops.epoll import install as install
from loopgauge.loops.epoll import new_event_loop as new_event_loop
from loopgauge.loops.epoll import run as run

__version__: str

__all__ = ["EventLoop", "EventLoopPolicy", "__version__", "install", "new_event_loop", "run"]
