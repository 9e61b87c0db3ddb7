"""Alert rules in docs/alerts.yml: existing metrics, summaries and actions."""

import re
from typing import Any

import pytest
import yaml
from django.conf import settings

from shiolplus.web.metrics import SnapshotCollector

RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((settings.BASE_DIR / "docs" / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
COMMANDS = {path.stem for path in settings.BASE_DIR.glob("*/management/commands/*.py")}


@pytest.mark.django_db
def test_each_metric_in_a_rule_is_exported_with_its_labels() -> None:
    exported = {}
    for family in SnapshotCollector().collect():
        suffix = "_total" if family.type == "counter" else ""
        exported[family.name + suffix] = set(family._labelnames)  # type: ignore[attr-defined]

    for rule in RULES:
        required = set(re.findall(r"shiolplus_\w+", rule["expr"]))
        assert required <= exported.keys(), rule["alert"]
        shown = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"]))) - {"instance"}
        assert shown <= {label for name in required for label in exported[name]}, rule["alert"]


def test_each_rule_has_summary_action_and_severity() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES) >= 9
    for rule in RULES:
        assert rule["annotations"].keys() == {"summary", "action"}
        assert all(text.endswith((".", "?")) for text in rule["annotations"].values()), rule["alert"]
        assert rule["labels"]["severity"] in ("page", "ticket")
        named = set(re.findall(r"`(\w+)(?: --[^`]*)?`", rule["annotations"]["action"]))
        assert named <= COMMANDS, rule["alert"]
