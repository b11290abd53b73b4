"""`python -m loopgauge.harness.deterministic.under HOW FOLDER ...`: becomes the tool that runs a
counting process on this very interpreter; `... under --tools` says which tools there are.

It is the interpreter that starts its tool, because an interpreter may live in a container or a root
folder of its own, where the harness cannot see which tools there are.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

COUNTING = ("-P", "-m", "loopgauge.harness.deterministic")
TOOLS = {
    # Nobody debugs it: the pipes for that would stay in the temporary folder when it is killed.
    "callgrind": (
        *("valgrind", "-q", "--vgdb=no", "--tool=callgrind"),
        *("--instr-atstart=no", "--trace-children=no"),
        "--callgrind-out-file={folder}/callgrind",
    ),
    # Whole lines are what its parser needs, not the data in them: -s 0.
    "strace": ("strace", "-f", "-qq", "-s", "0", "-e", "signal=none", "-o", "{folder}/strace"),
}
CURES = {
    "valgrind": "the program valgrind works where this Python runs; try: valgrind /bin/true",
    "strace": "this process may trace others (ptrace): in a container start it with "
    "--cap-add=SYS_PTRACE, elsewhere look at kernel.yama.ptrace_scope",
}
TRIAL_S = 60.0
_ADDR_NO_RANDOMIZE = 0x0040000


def main(arguments: list[str]) -> None:
    if arguments == ["--tools"]:
        print(json.dumps({how: examine(how) for how in TOOLS}))
        return
    how, folder, *rest = arguments
    fix_addresses()
    command = [*tool(how, folder), sys.executable, *COUNTING, *rest]
    os.execvp(command[0], command)


def tool(how: str, folder: str) -> list[str]:
    """The words before the command; none for counting without a tool."""
    return [word.format(folder=folder) for word in TOOLS.get(how, ())]


def fix_addresses() -> None:
    """Addresses decide hashes, and with them collisions and orders. Survives exec. Where a
    container forbids it figures scatter a little more."""
    ctypes.CDLL(None).personality(_ADDR_NO_RANDOMIZE)


def examine(how: str) -> dict[str, str]:
    """{"version"} of a tool that works here; otherwise {"reason", "cure"}."""
    program = TOOLS[how][0]
    if shutil.which(program) is None:
        return {
            "reason": f"{program} is not installed",
            "cure": f"Install the package {program}, such as with apt-get install {program}",
        }
    with tempfile.TemporaryDirectory(prefix="loopgauge-") as folder:
        failure = attempt([*tool(how, folder), "/bin/true"])
    if failure:
        return {"reason": f"{program} does not work here ({failure})", "cure": CURES[program]}
    return {"version": version(program)}


def attempt(command: list[str]) -> str:
    """What it complained of; "" where it worked."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TRIAL_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return ""
    said = done.stderr.strip().splitlines()
    return said[0] if said else f"exit status {done.returncode}"


def version(program: str) -> str:
    """ "valgrind 3.19.0", "strace 6.1"."""
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    number = re.search(r"\d+(\.\d+)+", said.stdout)
    return f"{program} {number[0]}" if number else program


if __name__ == "__main__":
    main(sys.argv[1:])
