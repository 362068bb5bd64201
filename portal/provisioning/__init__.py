"""Reading projects from spec files, and writing them into the portal."""

from portal.provisioning.commands import ImportResult, SpecRefused, Webhook, import_project
from portal.provisioning.problems import Problem
from portal.provisioning.spec_models import ProjectSpec, SpecReading
from portal.provisioning.spec_v1 import read_project_spec
from portal.provisioning.yaml_text import MAX_BYTES

__all__ = [
    "MAX_BYTES",
    "ImportResult",
    "Problem",
    "ProjectSpec",
    "SpecReading",
    "SpecRefused",
    "Webhook",
    "import_project",
    "read_project_spec",
]
