"""Asking for an export: what was asked, in words that a worker understands later (workorders §13.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from portal import audit, operations
from portal.core import clock, db
from portal.core.access import Actor
from portal.core.db import Json
from portal.core.errors import Conflict, Invalid
from portal.core.limits import limits
from portal.core.text import N_
from portal.projects import Project, ProjectFile
from portal.workorders import csv_columns
from portal.workorders.inputs import SearchFilters

KIND = "workorders:export"
UNREADABLE = N_("What this export was asked for cannot be read. Ask for a new one.")
ONLY_CSV = N_("Only a CSV file has columns.")


class ExportFormat(StrEnum):
    """A table for spreadsheets, or an archive of everything."""

    CSV = "csv"
    ZIP = "zip"


@dataclass(frozen=True, slots=True)
class Asked:
    """What an export shall hold: filters, received until when, form, and the columns of a CSV file."""

    filters: SearchFilters
    cut_off: datetime
    format: ExportFormat = ExportFormat.CSV
    columns: tuple[str, ...] = csv_columns.STANDARD

    def to_arguments(self) -> Json:
        """For the ledger."""
        return {
            "filters": self.filters.model_dump(mode="json", exclude_defaults=True),
            "cut_off": self.cut_off.isoformat(),
            "format": str(self.format),
            "columns": list(self.columns),
        }

    @classmethod
    def from_arguments(cls, arguments: Json) -> Asked:
        """Read what `to_arguments` wrote. Raises Conflict when a part of it means nothing here.

        A filter that this release does not know must not be dropped: the export would hold more
        than was asked for.
        """
        try:
            filters = SearchFilters.model_validate(arguments["filters"])
            if arguments["filters"].keys() - filters.model_dump(exclude_defaults=True).keys():
                raise ValueError
            cut_off = datetime.fromisoformat(arguments["cut_off"])
            columns = csv_columns.checked(arguments.get("columns"))
            return cls(filters, cut_off, ExportFormat(arguments.get("format", "csv")), columns)
        except (Invalid, ValueError, TypeError, KeyError, AttributeError) as error:
            raise Conflict(UNREADABLE) from error


def request_export(
    project: Project,
    filters: SearchFilters,
    *,
    actor: Actor,
    format: ExportFormat = ExportFormat.CSV,  # noqa: A002 - the word of forms and addresses
    columns: Sequence[str] | None = None,
) -> ProjectFile:
    """Promise a file of what passes the filters now; a worker writes it (workorders §13.1).

    One unit of work: audit entry (event requested, item type history_export), file with
    status enqueued, operation. The file's `operation_id` tells how far it is. `columns` are
    names of `CSV_COLUMNS` in the order wanted; None stands for the standard ones.

    Raises Invalid on `columns` for unknown, repeated or no columns, and for columns of a ZIP file.
    """
    if format is not ExportFormat.CSV and columns is not None:
        raise Invalid({"columns": [ONLY_CSV]})
    now = clock.now()
    asked = Asked(filters, now, format, csv_columns.checked(columns))
    with db.unit_of_work():
        file = ProjectFile(
            project_id=project.id,
            created_by_id=actor.id,
            name=f"{project.name}-history-{now:%Y%m%d-%H%M%S}.{format}",
            format=str(format),
            expires_at=expiry(project, now),
        )
        db.session().add(file)
        db.session().flush()
        _start(file, asked, actor)
    return file


def expiry(project: Project, now: datetime) -> datetime:
    """Until when a file finished now is kept: as long as the project's history, else as the setting says."""
    return now + timedelta(days=project.history_retention_period or limits().export_days)


def _start(file: ProjectFile, asked: Asked, actor: Actor) -> None:
    arguments = {"file_id": str(file.id), **asked.to_arguments()}
    started = operations.start(
        KIND, project_id=file.project_id, actor=actor, arguments=arguments, queue="export"
    )
    file.operation_id = started.id
    audit.record(
        "requested",
        "history_export",
        file.project_id,
        actor=actor,
        project_id=file.project_id,
        details=_told(asked),
    )


def _told(asked: Asked) -> Json:
    """The parameters for the audit: the filters, and form and columns where they are not the usual ones."""
    told: Json = asked.to_arguments()["filters"]
    if asked.format is not ExportFormat.CSV:
        told |= {"format": str(asked.format)}
    elif asked.columns != csv_columns.STANDARD:
        told |= {"columns": list(asked.columns)}
    return told
