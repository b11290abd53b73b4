"""Whether the stubs of the native module and of the package say what is there: mypy's stubtest.

Run in the environment of one Python (`scripts/dev lint` does). stubtest's own command walks every
submodule of a package and takes the inline annotations of the bench's rooms for stubs; here it is
asked about the modules that a user of the loop imports, and nothing is on an allowlist.
"""

from __future__ import annotations

import sys

from mypy import stubtest
from mypy.options import Options

MODULES = ["loopgauge", "loopgauge._core", "loopgauge.loops.epoll"]


def main() -> int:
    options = Options()
    options.incremental = False
    try:
        modules = stubtest.build_stubs(MODULES, options)
    except stubtest.StubtestFailure as failure:
        print(failure)
        return 1
    errors = [error for module in modules for error in stubtest.test_module(module)]
    told = [error for error in errors if not error.is_private_type_check_only_related()]
    for error in told:
        print(error.get_description())
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
