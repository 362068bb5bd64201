"""Projects, members and roles, stored files."""

from portal.projects import policies as _policies  # noqa: F401 - registers the permissions
from portal.projects.commands import add_member, create
from portal.projects.files import get_file, list_files
from portal.projects.inputs import NewProject, name_from
from portal.projects.models import FileStatus, Project, ProjectFile, ProjectUser, RetentionPolicy, Role
from portal.projects.policies import FileSteering
from portal.projects.queries import Membership, get, list_all, list_for, members_of, open_to_member
from portal.projects.standing import EVERYONE, KEEPERS, MAKERS, SUPPORT, Standing, standing

__all__ = [
    "EVERYONE",
    "KEEPERS",
    "MAKERS",
    "SUPPORT",
    "FileStatus",
    "FileSteering",
    "Membership",
    "NewProject",
    "Project",
    "ProjectFile",
    "ProjectUser",
    "RetentionPolicy",
    "Role",
    "Standing",
    "add_member",
    "create",
    "get",
    "get_file",
    "list_all",
    "list_files",
    "list_for",
    "members_of",
    "name_from",
    "open_to_member",
    "standing",
]
