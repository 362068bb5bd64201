"""What tests of the pages share: a workflow, a viewer's browser, the address of the history."""

import pytest

from tests.support.clients import logged_in
from tests.support.factories import make_workflow


@pytest.fixture
def flow(cast):
    return make_workflow(cast.project, "Register a visit")


@pytest.fixture
def browser(app, cast):
    return logged_in(app, cast.viewer)


@pytest.fixture
def base(cast):
    return f"/projects/{cast.project.id}/history"
