"""The CI pieces: both files are parsed, and the steps of the action are run here."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from ci_testing.runner import ActionRunner, Outcome, evaluated, parsed, parsed_text

from loopgauge.harness.exit_codes import ExitCode
from loopgauge.harness.gate.model import Settings
from loopgauge.harness.gate.settings import read_settings

CI = Path(__file__).resolve().parents[1] / "ci"
ACTION = CI / "action.yml"
WORKFLOW = CI / "gate.yml"
DOCS = CI.parents[1] / "docs" / "gate.md"

# Stands where Python stands: notes what `bench gate` is asked, and answers with files and a code.
STUB = f"""#!{sys.executable}
import json, os, pathlib, sys
words = sys.argv[1:]
if words[:2] == ["-m", "venv"]:
    made = pathlib.Path(words[2]) / "bin" / "python"
    made.parent.mkdir(parents=True)
    made.symlink_to(sys.argv[0])
elif words[:2] == ["-m", "pip"]:
    pathlib.Path(os.environ["STUB_ASKED"] + "-pip").write_text(json.dumps(words))
elif words[0] == "-m":
    pathlib.Path(os.environ["STUB_ASKED"]).write_text(json.dumps(words))
    code = int(os.environ["STUB_CODE"])
    if code != 2:
        value = lambda option: pathlib.Path(words[words.index(option) + 1])
        value("--out").mkdir()
        value("--markdown").write_text("### loopgauge: passed\\n")
        value("--html").write_text("<!doctype html>")
        value("--junit").write_text("<testsuites/>")
        print("::error title=REGRESSED%3A a.b::+2.1%25")
    sys.exit(code)
"""

# Stands where GitHub's command line stands: notes every call, and knows what it is told to know.
GH = f"""#!{sys.executable}
import json, os, pathlib, sys
calls = pathlib.Path(os.environ["GH_CALLS"])
words = sys.argv[1:]
body = [word[6:] for word in words if word.startswith("body=@")]
call = {{"words": words, "body": pathlib.Path(body[0]).read_text() if body else ""}}
calls.write_text(calls.read_text() + json.dumps(call) + "\\n")
if "--jq" in words:
    print(os.environ["GH_KNOWN"])
sys.exit(int(os.environ["GH_CODE"]))
"""


# One scenario, and as few processes as the gate decides with.
SETTINGS = """
[tool.loopgauge.gate]
benchmarks = ["sleep0"]
margin = 0.1
minutes = 0.05
conformance = false
deterministic = false
"""
LOOP = """
import asyncio


class Slow(asyncio.SelectorEventLoop):
    def call_soon(self, *args, **kwargs):
        sum(range(300))
        return super().call_soon(*args, **kwargs)
"""


def git(folder: Path, *words: str) -> str:
    author = [
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@example.org",
        "-c",
        "init.defaultBranch=main",
    ]
    answer = subprocess.run(
        ["git", *author, *words], cwd=folder, capture_output=True, text=True, check=True
    )
    return answer.stdout.strip()


@pytest.fixture
def project(tmp_path):
    """A clone as actions/checkout leaves it: one commit deep, at the merge of a pull request."""
    origin = tmp_path / "origin"
    origin.mkdir()
    git(origin, "init", "-q")
    git(origin, "config", "uploadpack.allowAnySHA1InWant", "true")
    (origin / "pyproject.toml").write_text(SETTINGS)
    (origin / "mine.py").write_text(LOOP)
    git(origin, "add", "pyproject.toml", "mine.py")
    git(origin, "commit", "-q", "-m", "base")
    git(origin, "checkout", "-q", "-b", "change")
    git(origin, "commit", "-q", "--allow-empty", "-m", "change")
    git(origin, "checkout", "-q", "main")
    git(origin, "commit", "-q", "--allow-empty", "-m", "what others did meanwhile")
    git(origin, "merge", "-q", "--no-ff", "-m", "merge", "change")
    git(origin, "update-ref", "refs/pull/7/merge", "HEAD")
    git(origin, "reset", "-q", "--hard", "HEAD^")
    clone = tmp_path / "clone"
    clone.mkdir()
    git(clone, "init", "-q")
    git(clone, "remote", "add", "origin", f"file://{origin}")
    git(clone, "fetch", "-q", "--depth=1", "origin", "refs/pull/7/merge")
    git(clone, "checkout", "-q", "FETCH_HEAD")
    return clone


class Job:
    """One job on a pull request of a project, with stubs where Python and gh would be."""

    def __init__(self, project: Path, temp: Path) -> None:
        self.project, self.temp = project, temp
        for folder in ("bin", "temp"):
            (temp / folder).mkdir()
        self.python = self._program("stub-python", STUB)
        self._program("gh", GH)
        self.calls = temp / "calls"
        self.calls.write_text("")
        self.asked = temp / "asked"
        self.github = {
            "repository": "me/mine",
            "ref": "refs/pull/7/merge",
            "sha": git(project, "rev-parse", "HEAD"),
            "token": "secret",
            "event": {"pull_request": {"number": 7}},
        }

    def _program(self, name: str, text: str) -> Path:
        path = self.temp / "bin" / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    def run(self, *, code: int = 0, known: str = "", gh_code: int = 0, **inputs: str) -> Outcome:
        runner = ActionRunner(ACTION, self.project, self.temp / "temp", self.github)
        given = {"loopgauge": "installed", "python": str(self.python), "tools": "false", **inputs}
        return runner.run(
            {name.replace("_", "-"): text for name, text in given.items()},
            PATH=f"{self.temp / 'bin'}:{os.environ['PATH']}",
            STUB_ASKED=str(self.asked),
            STUB_CODE=str(code),
            GH_CALLS=str(self.calls),
            GH_KNOWN=known,
            GH_CODE=str(gh_code),
        )

    def words(self) -> list[str]:
        return json.loads(self.asked.read_text())

    def option(self, name: str) -> str:
        words = self.words()
        return words[words.index(name) + 1]

    def posted(self) -> list[dict]:
        calls = [json.loads(line) for line in self.calls.read_text().splitlines()]
        return [call for call in calls if call["body"]]


@pytest.fixture
def job(project, tmp_path):
    (tmp_path / "job").mkdir()
    return Job(project, tmp_path / "job")


def test_the_inputs_are_declared_and_used():
    action = parsed(ACTION)
    used = set(re.findall(r"inputs\.([\w-]+)", ACTION.read_text()))
    assert used == set(action["inputs"])
    assert all(about["description"] for about in action["inputs"].values())


def test_no_step_pastes_an_expression_into_a_script():
    """A branch may be called `$(rm -rf .)`: texts from outside come by the environment only."""
    workflow = parsed(WORKFLOW)
    steps = [*parsed(ACTION)["runs"]["steps"], *workflow["jobs"]["gate"]["steps"]]
    scripts = [step["run"] for step in steps if "run" in step]
    assert scripts
    assert [text for text in scripts if "${{" in text] == []


def test_every_script_of_a_step_is_there_and_can_be_run():
    steps = [step for step in parsed(ACTION)["runs"]["steps"] if "run" in step]
    names = [re.fullmatch(r'"\$GITHUB_ACTION_PATH/([\w-]+)"', step["run"])[1] for step in steps]
    assert len(names) == 5
    assert [name for name in names if not os.access(CI / name, os.X_OK)] == []


def test_the_workflow_hands_its_inputs_to_the_action():
    workflow = parsed(WORKFLOW)
    declared = workflow["on"]["workflow_call"]["inputs"]
    steps = workflow["jobs"]["gate"]["steps"]
    action = next(step for step in steps if step["uses"].endswith("scripts/ci"))
    assert set(action["with"]) <= set(parsed(ACTION)["inputs"])
    assert set(re.findall(r"inputs\.([\w-]+)", WORKFLOW.read_text())) == set(declared)
    checkout = next(step for step in steps if step.get("with", {}).get("path"))
    assert action["uses"] == f"./{checkout['with']['path']}/scripts/ci"


def test_a_workflow_and_the_action_agree_on_what_fails():
    inputs = parsed(WORKFLOW)["on"]["workflow_call"]["inputs"]
    for name, about in parsed(ACTION)["inputs"].items():
        if name in inputs and name != "loopgauge":
            assert inputs[name]["default"] == about["default"], name


def blocks(path: Path, language: str) -> list[str]:
    text = path.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_the_settings_that_are_documented_are_read(tmp_path):
    (text,) = blocks(DOCS, "toml")
    (tmp_path / "pyproject.toml").write_text(text)
    settings = read_settings(tmp_path)
    assert settings.expected[0].at_most == 0.05
    documented = {line.split("=")[0].strip("# ") for line in text.splitlines() if "=" in line}
    documented |= set(re.findall(r"gate\.(\w+)\]", text)) | set(re.findall(r"and (\w+) =", text))
    assert set(Settings.__struct_fields__) <= documented


def test_the_inputs_that_are_documented_are_the_action_s():
    inputs = parsed(ACTION)["inputs"]
    section = DOCS.read_text().partition("\n## Sides\n")[0]
    rows = re.findall(r"^\| (`[^|]*) \|[^|]*\| *([^|]*?) *\|$", section, re.MULTILINE)
    documented = {name for cell, _ in rows for name in re.findall(r"`([\w-]+)`", cell)}
    assert documented == set(inputs)
    told = {cell.strip("`"): default.strip("`") for cell, default in rows if "," not in cell}
    for name in ("allow", "comment", "name", "python", "tools"):
        assert told[name] == inputs[name]["default"]


def test_the_workflow_that_is_documented_uses_the_action():
    (text,) = blocks(DOCS, "yaml")
    steps = parsed_text(text)["jobs"]["gate"]["steps"]
    (short,) = (parsed_text(text) for text in blocks(DOCS.parents[1] / "README.md", "yaml"))
    assert short == steps
    assert len(steps) == 3
    owner, _, place = steps[-1]["uses"].partition("/")
    assert (owner, place) == ("OWNER", "loopgauge/scripts/ci@main")


def test_the_exit_codes_that_are_documented_are_all():
    section = DOCS.read_text(encoding="utf-8").split("## Exit codes")[1].split("\n## ")[0]
    codes = re.findall(r"^\| ([\d, ]+) \|", section, re.MULTILINE)
    documented = {int(code) for cell in codes for code in cell.split(",")}
    ours = {ExitCode.INTERNAL, ExitCode.CLOSED_PIPE}  # a bug, and no reader: no verdict
    assert documented == {*ExitCode} - ours


def test_a_pull_request_is_compared_with_what_it_merges_into(job, project):
    outcome = job.run()
    assert outcome.code == 0
    base = job.option("--base")
    assert git(project, "log", "-1", "--format=%s", base) == "what others did meanwhile"
    assert job.option("--head") == "HEAD"
    assert outcome.outputs["exit-code"] == "0"
    assert outcome.summary == "### loopgauge: passed\n"
    assert Path(outcome.outputs["folder"]).is_dir()


@pytest.mark.parametrize(("before", "is_named"), [("", False), ("0" * 40, False), ("HEAD", True)])
def test_a_push_is_compared_with_the_commit_before(job, project, before, is_named):
    commit = git(project, "rev-parse", "HEAD") if before == "HEAD" else before
    job.github.update(ref="refs/heads/main", event={"before": commit})
    assert job.run().code == 0
    assert ("--base" in job.words()) == is_named
    if is_named:
        assert job.option("--base") == commit


def test_a_job_that_checks_out_something_else_leaves_the_base_to_the_gate(job, project):
    git(project, "checkout", "-q", "--detach")
    git(project, "commit", "-q", "--allow-empty", "-m", "another")
    assert job.run().code == 0
    assert "--base" not in job.words()


def test_a_base_that_is_gone_is_said(job):
    job.github.update(ref="refs/heads/main", event={"before": "1234567890" * 4})
    outcome = job.run()
    assert outcome.code == 4
    assert "::error" in outcome.printed["Measure"]
    assert not job.asked.exists()


@pytest.mark.parametrize(
    ("loopgauge", "installed"), [("", str(CI / ".." / "..")), ("loopgauge==9.9", "loopgauge==9.9")]
)
def test_loopgauge_is_installed_apart_from_the_project(job, loopgauge, installed):
    outcome = job.run(loopgauge=loopgauge)
    assert outcome.code == 0, outcome.printed
    assert json.loads(Path(f"{job.asked}-pip").read_text())[-1] == installed
    assert (job.temp / "temp/loopgauge-environment/bin/python").is_symlink()


@pytest.mark.parametrize(
    ("there", "apt", "asked"),
    [
        (["valgrind", "strace"], 0, None),
        (["strace"], 0, "install -qy valgrind"),
        ([], 100, "update -q"),
    ],
)
def test_missing_tools_are_installed_or_named(tmp_path, there, apt, asked):
    """A machine with nothing but a shell, and stubs for the rest."""
    noted = tmp_path / "asked"
    for name in ("bash", "env", "id"):
        (tmp_path / name).symlink_to(shutil.which(name))
    for name, text in {
        **dict.fromkeys(there, "exit 0"),
        "apt-get": f'echo "$*" >"{noted}"; exit {apt}',
        "sudo": 'shift; exec "$@"',
    }.items():
        (tmp_path / name).write_text(f"#!{tmp_path / 'bash'}\n{text}\n")
        (tmp_path / name).chmod(0o755)
    answer = subprocess.run(
        [CI / "install-tools"], env={"PATH": str(tmp_path)}, capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stderr
    assert (noted.read_text().strip() if noted.exists() else None) == asked
    assert ("valgrind strace cannot be installed" in answer.stdout) == bool(apt)


def test_inputs_become_arguments_word_by_word(job):
    job.run(
        benchmarks="sleep0 call_soon_*\nmy_app:main",
        base="$(touch injected)",
        loop="mine:new",
        arguments="--minutes 2 --no-timing",
    )
    words = job.words()
    assert words[:3] == ["-m", "loopgauge.harness.cli", "gate"]
    assert words[words.index("--") + 1 :] == ["sleep0", "call_soon_*", "my_app:main"]
    assert job.option("--base") == "$(touch injected)"
    assert job.option("--loop") == "mine:new"
    assert job.option("--minutes") == "2"
    assert "--no-timing" in words
    assert not (job.project / "injected").exists()


@pytest.mark.parametrize(
    ("code", "allow", "ends_with"),
    [(0, "3 6", 0), (1, "3 6", 1), (3, "3 6", 0), (3, "", 3), (5, "3 6", 5), (6, "3", 6),
     (13, "3", 13)],
)  # fmt: skip
def test_the_job_ends_as_the_gate_does(job, code, allow, ends_with):
    outcome = job.run(code=code, allow=allow)
    assert outcome.code == ends_with
    assert outcome.outputs["exit-code"] == str(code)
    warned = "::warning" in outcome.printed["Verdict"]
    assert warned == (code != 0 and ends_with == 0)
    assert "::error title=REGRESSED%3A a.b::" in outcome.printed["Measure"]


def test_bad_usage_fails_the_job_and_leaves_no_comment(job):
    outcome = job.run(code=2)
    assert outcome.code == 2
    empty = dict.fromkeys(("folder", "comment", "page", "junit"), "")
    assert outcome.outputs == {"exit-code": "2", **empty}
    assert outcome.used == {}
    assert job.posted() == []


def test_the_samples_are_kept_whatever_the_verdict(job):
    outcome = job.run(code=1, name="gate-3.13")
    (kept,) = outcome.used.values()
    assert kept["name"] == "loopgauge-gate-3.13"
    names = ("folder", "comment", "page", "junit")
    assert kept["path"].split() == [outcome.outputs[name] for name in names]


@pytest.mark.parametrize(
    ("code", "when", "known", "method"),
    [
        (1, "failure", "", "POST"),
        (0, "failure", "", None),
        (0, "failure", "42\n43", "PATCH"),
        (0, "always", "", "POST"),
        (1, "never", "42", None),
    ],
)
def test_a_comment_is_made_when_needed_and_then_kept_up_to_date(job, code, when, known, method):
    job.run(code=code, comment=when, known=known)
    posted = job.posted()
    if method is None:
        assert posted == []
        return
    (call,) = posted
    assert call["body"] == "<!-- loopgauge: gate -->\n### loopgauge: passed\n"
    where = {"POST": "repos/me/mine/issues/7/comments", "PATCH": "repos/me/mine/issues/comments/42"}
    assert where[method] in call["words"]
    assert ("PATCH" in call["words"]) == (method == "PATCH")


def test_a_comment_that_may_not_be_written_fails_nothing(job):
    outcome = job.run(gh_code=1, comment="always")
    assert outcome.code == 0
    assert "::warning" in outcome.printed["Comment"]


# A gate that measures until it is told to end. The signal waits to be taken: none comes too early.
PATIENT = f"""#!{sys.executable}
import os, pathlib, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
hears = signal.getsignal(signal.SIGINT) is signal.default_int_handler
print("measuring" if hears else "deaf", os.getpid(), flush=True)
signal.sigwait([signal.SIGTERM])
pathlib.Path(sys.argv[sys.argv.index("--out") + 1]).mkdir()
sys.exit(143)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_job_that_is_cancelled_keeps_what_was_measured(tmp_path, number):
    """GitHub signals the step's own process and nothing below it."""
    python = tmp_path / "python"
    python.write_text(PATIENT)
    python.chmod(0o755)
    names = ("BENCHMARKS", "BASE", "HEAD", "LOOP", "ARGUMENTS", "COMMIT_BEFORE", "GITHUB_REF")
    files = {name: str(tmp_path / name) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    step = subprocess.Popen(
        [CI / "measure"],
        env={**os.environ, **dict.fromkeys(names, ""), **files, "BASE": "a", "NAME": "gate",
             "LOOPGAUGE_PYTHON": str(python), "RUNNER_TEMP": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    told, pid = step.stdout.readline().split()
    step.send_signal(number if told == "measuring" else signal.SIGTERM)
    step.communicate()
    assert told == "measuring"
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)
    assert (tmp_path / "GITHUB_OUTPUT").read_text().splitlines() == [
        "exit-code=143",
        f"folder={tmp_path}/loopgauge-gate/gate",
    ]


def test_a_push_has_no_comment(job):
    job.github.update(ref="refs/heads/main", event={"before": ""})
    outcome = job.run(code=1, comment="always")
    assert "Comment" not in outcome.printed
    assert job.calls.read_text() == ""


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("inputs.a == 'x' && inputs.b != ''", False),
        ("!(inputs.a == 'y') || inputs.b", True),
        ("inputs.b || inputs.a", "x"),
        ("always() && inputs.a", "x"),
    ],
)
def test_the_expressions_of_the_runner_here(expression, value):
    assert evaluated(expression, {"inputs": {"a": "x", "b": ""}}) == value


def test_a_slower_loop_fails_the_job_and_says_so_everywhere(job):
    """The gate itself. Two loops of one interpreter share processes, which takes the least time."""
    outcome = job.run(python=sys.executable, base="asyncio", head="mine:Slow")
    assert outcome.code == 1, outcome.printed
    assert outcome.outputs["exit-code"] == "1"
    printed = outcome.printed["Measure"]
    assert "::error title=REGRESSED%3A throughput.sleep0::" in printed
    assert "### loopgauge: head is worse: 1 REGRESSED" in outcome.summary
    (call,) = job.posted()
    assert call["body"].endswith(outcome.summary)
    junit = ElementTree.parse(outcome.outputs["junit"]).getroot()
    assert junit.get("failures") == "1"
    page = Path(outcome.outputs["page"]).read_text()
    assert "<h1>Head is worse: throughput.sleep0 takes" in page
    kept = {path.name for path in Path(outcome.outputs["folder"]).iterdir()}
    assert {"gate.jsonl", "timing.jsonl", "confirmation.jsonl"} <= kept
