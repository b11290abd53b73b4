"""C++ tests, the loop's Python tests and the fuzzers under the sanitizers."""

from __future__ import annotations

from pathlib import Path

from devtools import build, check, packages
from devtools.pythons import Interpreter
from devtools.shell import ROOT, SetupError, output, say, status

# Python keeps its types, interned strings and the like to the end: they are no leaks of ours.
ASAN = "detect_leaks=0:abort_on_error=1:strict_string_checks=1"
UBSAN = "print_stacktrace=1:halt_on_error=1"


# Under AddressSanitizer freed memory stays resident (its quarantine), and a limit on address space
# stops its own shadow: these tests would judge the sanitizer.
NOT_UNDER_ASAN = (
    "--ignore=loops/tests/test_resources.py",
    "--deselect=loops/tests/test_fd_kinds.py::test_a_number_far_beyond_the_open_files",
)


def asan(python: Interpreter, arguments: list[str]) -> int:
    """AddressSanitizer and UBSan: C++ tests with leak check, then the loop's Python tests."""
    build.build(python, "asan")
    cpp, _ = check.cpp_tests(python, "asan", UBSAN_OPTIONS=UBSAN)
    libraries = " ".join(_runtime(python, name) for name in ("libasan.so", "libubsan.so"))
    py, _ = check.python_tests(
        python,
        arguments or ["loops", "-p", "no:cacheprovider", "--no-isolate", *NOT_UNDER_ASAN],
        PYTHONPATH=str(python.build_dir("asan") / "pyroot"),
        PYTHONMALLOC="malloc_debug",  # malloc, for the sanitizer, with CPython's own checks on top
        LD_PRELOAD=libraries,
        ASAN_OPTIONS=ASAN,
        UBSAN_OPTIONS=UBSAN,
    )
    return 1 if cpp or py else 0


def tsan(python: Interpreter) -> int:
    """ThreadSanitizer over the C++ tests.

    Python itself is not built for it: races of the interpreter and of its extensions would hide
    ours, so the core, which has no Python in it, is what is checked.
    """
    build.build(python, "tsan")
    code, summary = check.cpp_tests(python, "tsan", TSAN_OPTIONS="halt_on_error=1")
    print(summary)
    return code


def fuzz(python: Interpreter, seconds: int) -> int:
    """Every libFuzzer target for `seconds` each; findings land in build/fuzz-<tag>/findings."""
    packages.ensure_command("clang++", "clang")
    folder = build.build(python, "fuzz")
    corpus = folder / "corpus"
    findings = folder / "findings"
    findings.mkdir(exist_ok=True)
    failed = 0
    for target in _fuzzers(folder):
        say(f"{target.name} for {seconds} s")
        (corpus / target.name).mkdir(parents=True, exist_ok=True)
        limit = f"-max_total_time={seconds}"
        prefix = f"-artifact_prefix={findings}/"
        words = [str(target), limit, prefix, "-print_final_stats=1", str(corpus / target.name)]
        failed |= status(python.inside(*words))
    return 1 if failed else 0


def _fuzzers(folder: Path) -> list[Path]:
    names = sorted(path.stem for path in (ROOT / "loops/core/fuzz").glob("*.cpp"))
    return [folder / "loops" / name for name in names]


def _runtime(python: Interpreter, name: str) -> str:
    """The sanitizer's library, which must be loaded before a Python that is not built with it."""
    path = output(python.inside("c++", f"-print-file-name={name}"))
    if not path or not Path(path).is_absolute():
        raise SetupError(f"the compiler has no {name}")
    return path
