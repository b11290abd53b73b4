"""The files of deploy/ say what the pages promise: what they start, and who can reach it."""

from __future__ import annotations

import re
import shlex

import click
import pytest
from click.testing import CliRunner
from deploy_testing.files import (
    DEPLOY,
    KUBERNETES,
    ROOT,
    compose,
    compose_command,
    documents,
    here,
    kubernetes,
    pod_command,
)
from docs_testing.shown import simple_commands

from loopgauge.harness.cli import main

CONTAINERFILE = (DEPLOY / "Containerfile").read_text(encoding="utf-8").replace("\\\n", " ")
WORKERS = ["worker-1", "worker-2"]


def instructions(name: str) -> list[list[str]]:
    lines = [line for line in CONTAINERFILE.splitlines() if line.startswith(f"{name} ")]
    return [shlex.split(line)[1:] for line in lines]


def option(command: list[str], name: str) -> str:
    words = [part for word in command for part in word.split("=", maxsplit=word.startswith("--"))]
    return words[words.index(name) + 1]


def test_the_image_is_made_of_files_that_there_are():
    copied = [source for *sources, _ in instructions("COPY") for source in sources]
    assert [source for source in copied if not (ROOT / source).exists()] == []
    cmake = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    for folder in re.findall(r"add_subdirectory\((\w+)", cmake):
        assert folder in copied


def test_the_image_runs_as_nobody_special():
    assert instructions("USER") == [["loopgauge"]]
    assert "useradd --uid 1000" in CONTAINERFILE


def test_the_fleet_of_compose_is_what_the_issue_of_fleets_needs():
    services = compose()["services"]
    assert {"scheduler", "postgresql", "bench", *WORKERS} == {*services}
    pythons = [services[name]["build"]["args"]["PYTHON"] for name in WORKERS]
    assert len(set(pythons)) == 2, "two workers of one machine and one Python are one host"
    for service in services.values():
        assert service["image"].startswith(("loopgauge:", "postgres:"))


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_of_compose_measures_one_at_a_time_on_the_whole_machine(name):
    assert option(compose_command(name), "--resources") == "loopgauge=1"
    assert option(compose_command(name), "--name") == name
    service = compose()["services"][name]
    folder = service["environment"]["LOOPGAUGE_LOCK"].rpartition("/")[0]
    assert f"lock:{folder}" in service["volumes"]
    assert folder in CONTAINERFILE, "only what is in the image already belongs to its user"


def test_compose_publishes_on_the_loopback_only():
    published = [port for item in compose()["services"].values() for port in item.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_compose_holds_no_password():
    document = compose()
    assert document["secrets"]["postgresql-password"] == {"file": "./postgresql-password"}
    settings = document["services"]["postgresql"]["environment"]
    assert settings["POSTGRES_PASSWORD_FILE"] == "/run/secrets/postgresql-password"
    assert "POSTGRES_PASSWORD" not in settings
    assert "/deploy/postgresql-password" in (ROOT / ".gitignore").read_text(encoding="utf-8")


@pytest.mark.parametrize("part", ["scheduler", "worker"])
def test_pods_talk_tls(part):
    command = pod_command(part)
    assert {"--tls-ca-file=/tls/ca.pem", "--tls-cert=/tls/cert.pem"} < {*command}
    assert [word for word in command if "tcp://" in word] == []
    assert [word for word in command if "tls://" in word]


def test_a_worker_pod_has_a_node_and_its_cpus_for_itself():
    pod = kubernetes("fleet.yaml", "DaskCluster")["spec"]["worker"]["spec"]
    (term,) = pod["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert term["topologyKey"] == "kubernetes.io/hostname"
    (container,) = pod["containers"]
    assert container["resources"]["requests"] == container["resources"]["limits"]
    cpus = container["resources"]["limits"]["cpu"]
    assert cpus == option(container["args"], "--nthreads")
    assert option(container["args"], "--resources") == "loopgauge=1"


def test_only_the_fleet_and_the_command_reach_the_pods():
    policy = kubernetes("fleet.yaml", "NetworkPolicy")["spec"]
    cluster = kubernetes("fleet.yaml", "DaskCluster")["metadata"]["name"]
    assert policy["podSelector"]["matchLabels"] == {"dask.org/cluster-name": cluster}
    (rule,) = policy["ingress"]
    selectors = [
        peer["podSelector"]["matchLabels"] for peer in rule["from"] if "podSelector" in peer
    ]
    job = kubernetes("run.yaml", "Job")["spec"]["template"]
    assert job["metadata"]["labels"] in selectors
    assert {"dask.org/cluster-name": cluster} in selectors


def test_the_command_of_the_job_takes_what_it_is_given(tmp_path, monkeypatch):
    for name in ("ca", "cert", "key"):
        (tmp_path / f"{name}.pem").touch()
    (container,) = kubernetes("run.yaml", "Job")["spec"]["template"]["spec"]["containers"]
    shell, options, script = container["args"]
    assert (shell, options) == ("sh", "-ec")
    ours = [words for words in simple_commands(script) if words[0] == "bench"]
    assert [words[1] for words in ours] == ["run", "history"]
    whats = re.search(r'what="(.*?)".*what="(.*?)"', script, re.DOTALL)
    monkeypatch.setattr(click.Command, "invoke", lambda self, ctx: None)
    for words in ours:
        for what in whats.groups():
            line = shlex.join(words).replace("'$what'", what).replace("/tls", str(tmp_path))
            done = CliRunner().invoke(main, shlex.split(line)[1:], prog_name="bench")
            assert done.exit_code == 0, done.output


@pytest.mark.parametrize("path", sorted(KUBERNETES.iterdir()), ids=lambda path: path.name)
def test_what_kubectl_is_given_is_named_and_of_a_kind(path):
    for document in documents(path):
        assert document["apiVersion"]
        assert document["kind"]
        assert document["metadata"]["name"].startswith("loopgauge")


def test_a_command_for_this_machine_is_the_file_s():
    command = here(pod_command("worker"), "tls://127.0.0.1:5", DEPLOY)
    assert command[1:5] == ["-m", "dask", "worker", "tls://127.0.0.1:5"]
    assert option(command, "--tls-ca-file") == str(DEPLOY / "ca.pem")
    assert option(command, "--resources") == "loopgauge=1"
