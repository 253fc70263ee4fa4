"""What ``deploy/`` ships: that it is what its tools read, and names nothing that does not exist."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from restyle.database import open_database
from restyle.http.metrics import Metrics
from restyle.queue.store import TaskStore
from restyle.settings import Settings

yaml = pytest.importorskip("yaml")

DEPLOY = Path(__file__).parents[1] / "deploy"
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
TEXTS = sorted(path for path in DEPLOY.rglob("*") if path.is_file())
FUNCTIONS = {"by", "histogram_quantile", "le", "max", "min", "rate", "sum", "topk"}


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of all series that a machine shows."""
    folder = tmp_path_factory.mktemp("metrics")
    db = open_database(f"sqlite:///{folder / 'restyle.sqlite3'}")
    page = Metrics(db, TaskStore(db, Settings(data_dir=folder))).page().decode()
    db.dispose()
    found = set()
    for name, kind in re.findall(r"^# TYPE (\w+) (\w+)$", page, re.MULTILINE):
        found |= {f"{name}_bucket", f"{name}_sum", f"{name}_count"} if kind == "histogram" else {name}
    return found


def queries() -> Iterator[tuple[str, str]]:
    """Every query of the dashboard, the alerts and the autoscaling, with what it is for."""
    for panel in json.loads((DEPLOY / "grafana" / "restyle.json").read_text())["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for group in yaml.safe_load((DEPLOY / "prometheus" / "rules.yaml").read_text())["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]
    for document in documents(DEPLOY / "kubernetes" / "autoscaling.yaml"):
        for trigger in document["spec"]["triggers"]:
            yield document["metadata"]["name"], trigger["metadata"]["query"]


def documents(path: Path) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def labels_of(expression: str) -> set[str]:
    return set(re.findall(r"(\w+)=~?\"", expression)) | {
        name.strip() for group in re.findall(r"by \(([^)]*)\)", expression) for name in group.split(",")
    }


@pytest.mark.parametrize(("title", "expression"), list(queries()))
def test_a_query_names_only_metrics_and_labels_that_exist(title: str, expression: str, metrics: set[str]) -> None:
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|by \([^)]*\)", "", expression)
    names = set(re.findall(r"[a-z_]{2,}", bare)) - FUNCTIONS
    assert names, title
    assert names <= metrics, f"{title}: {names - metrics}"
    operations = (DEPLOY.parent / "docs" / "operations.md").read_text()
    documented = {"le", "instance"}
    for each in re.findall(r"`restyle_\w+\{([a-z,]+)\}`", operations):
        documented |= set(each.split(","))
    assert labels_of(expression) <= documented


def test_every_setting_named_exists() -> None:
    known = {f"RESTYLE_{name.upper()}" for name in Settings.model_fields}
    for path in TEXTS:
        named = set(re.findall(r"\bRESTYLE_[A-Z_]+[A-Z]", path.read_text()))
        assert named <= known, path


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_a_manifest_says_what_kubernetes_needs(path: Path) -> None:
    for document in documents(path):
        assert {"apiVersion", "kind", "metadata"} <= set(document)
        assert document["kind"] == "Namespace" or document["metadata"]["namespace"] == "restyle"
        if document["kind"] != "Deployment":
            continue
        spec = document["spec"]["template"]["spec"]
        labels = document["spec"]["template"]["metadata"]["labels"]
        assert document["spec"]["selector"]["matchLabels"].items() <= labels.items()
        (container,) = spec["containers"]
        assert spec["securityContext"]["runAsNonRoot"]
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["args"] in (["--role", "api"], ["--role", "worker"])
        assert {each["name"] for each in container["volumeMounts"]} == {each["name"] for each in spec["volumes"]}
        assert {"startupProbe", "livenessProbe", "readinessProbe", "resources"} <= set(container)
        common = {document["kind"]: document for document in documents(DEPLOY / "kubernetes" / "common.yaml")}
        drain = int(common["ConfigMap"]["data"]["RESTYLE_DRAIN_SECONDS"])
        assert spec["terminationGracePeriodSeconds"] > drain


CUSTOM = {"ScaledObject"}
"""Kinds that an operator brings (KEDA), of which Kubernetes itself has no schema."""


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
@pytest.mark.parametrize("release", ["1.29", "1.37"])
def test_a_manifest_is_what_kubernetes_own_schemas_say(path: Path, release: str) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    for document in documents(path):
        if document["kind"] not in CUSTOM:
            kubernetes_validate.validate(document, release, strict=True)


def test_the_schemas_would_see_a_slip() -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    (deployment, *_) = documents(DEPLOY / "kubernetes" / "api.yaml")
    deployment["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="readynessProbe"):
        kubernetes_validate.validate(deployment, "1.37", strict=True)


def test_what_is_scaled_is_there() -> None:
    there = {
        document["metadata"]["name"]
        for path in MANIFESTS
        for document in documents(path)
        if document["kind"] == "Deployment"
    }
    scaled = {each["spec"]["scaleTargetRef"]["name"] for each in documents(DEPLOY / "kubernetes" / "autoscaling.yaml")}
    assert scaled <= there


def test_the_compose_file_starts_a_fleet() -> None:
    composed = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    services = composed["services"]
    assert services["api"]["command"] == ["--role", "api"]
    assert services["worker"]["command"] == ["--role", "worker"]
    for name in ("api", "worker"):
        assert services[name]["environment"]["RESTYLE_DATABASE_URL"].startswith("postgresql+psycopg://")
        assert services[name]["read_only"]
        assert set(services[name]["depends_on"]) <= set(services)
    used = {volume.partition(":")[0] for service in services.values() for volume in service.get("volumes", [])}
    assert {volume for volume in used if not volume.startswith(".")} == set(composed["volumes"])
    assert (DEPLOY.parent / services["api"]["build"]["dockerfile"]).is_file()


@pytest.mark.parametrize("name", ["Dockerfile", "Dockerfile.cuda"])
def test_an_image_is_pinned_small_and_without_root(name: str) -> None:
    lines = (DEPLOY / name).read_text().splitlines()
    bases = [line.split()[1] for line in lines if line.startswith("FROM ")]
    assert len(bases) == 2
    assert all(re.fullmatch(r"python:3\.\d+\.\d+-slim-bookworm", base) for base in bases)
    assert "USER 10001" in lines
    last = len(lines) - lines[::-1].index(f"FROM {bases[1]}")
    assert not [line for line in lines[last:] if "pip install" in line or "apt-get" in line]
    assert 'ENTRYPOINT ["restyle", "serve"]' in lines
    copied = [
        part for line in lines if line.startswith("COPY ") and "--from" not in line for part in line.split()[1:-1]
    ]
    assert all((DEPLOY.parent / part).exists() for part in copied)
