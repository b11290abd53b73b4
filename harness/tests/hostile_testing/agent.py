"""An agent that lies: it does what the true one does, and changes the answers."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

from loopgauge.harness.fleet import agent

LIE = os.environ["LOOPGAUGE_TEST_LIE"]
MARKUP = "<script>document.title='taken'</script>\x1b[2J\r"

true_perform = agent.perform


def perform(request: bytes, waiting: Callable[[], None]) -> bytes:
    function = json.loads(request.partition(b"\n")[0])["function"].partition(":")[2]
    head, _, answer = true_perform(request, waiting).partition(b"\n")
    if function == "tell":
        return head + b"\n" + json.dumps(other_machine(json.loads(answer))).encode()
    if LIE == "words" and function == "measure":
        return json.dumps({"ok": False, "kind": MARKUP, "words": MARKUP, "trace": MARKUP}).encode()
    return head + b"\n" + changed(function, answer)


def other_machine(facts: dict[str, Any]) -> dict[str, Any]:
    """It is a host of its own, so that one can tell what becomes of it."""
    facts["boot_id"] = f"hostile-{LIE}"
    if LIE == "markup":
        facts["machine"]["cpu_model"] = MARKUP
    return facts


def changed(function: str, answer: bytes) -> bytes:
    if LIE == "garbage":
        return b"\xff\x00{[[[" + answer[:10]
    if function != "measure" or LIE != "others":
        return answer
    told = json.loads(answer)
    for worker in told["workers"]:
        for message in worker["messages"]:
            if message["t"] == "samples":
                message.update(benchmark="io.tcp_echo", arm=MARKUP)
    return json.dumps(told).encode()


agent.perform = perform

if __name__ == "__main__":
    agent.main()
