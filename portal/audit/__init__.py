"""The append-only record of who changed what."""

from portal.audit.models import AuditEvent
from portal.audit.recording import record

__all__ = ["AuditEvent", "record"]
