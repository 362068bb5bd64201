"""The lines that a worker itself writes around those of the jobs."""

from __future__ import annotations

from random import Random

from portal.demo.flows import Line, Trouble

VERSIONS = """Versions:
    ▸ node.js     22.14.0
    ▸ worker      1.19.3
    ▸ engine      1.8.4
    ▸ common      3.0.2"""


def opening(jobs: int) -> list[Line]:
    """What stands at the head of each run."""
    return [("info", "VER", VERSIONS), ("info", "R/T", f"Starting workflow with {jobs} steps")]


def before(job: str, rng: Random) -> list[Line]:
    """What stands before a job's own lines."""
    return [
        ("debug", "CMP", f"Compiled job from {rng.randint(180, 900)} characters"),
        ("info", "R/T", f"Starting step {job}"),
    ]


def after(job: str, seconds: float) -> Line:
    """What stands behind the lines of a job that went well."""
    return ("success", "R/T", f"Completed step {job} in {seconds:.2f}s")


def failure(trouble: Trouble) -> list[Line]:
    """How a trouble looks in the log."""
    lines: list[Line] = [("error", "JOB" if trouble.error_type.endswith("Error") else "R/T", trouble.message)]
    if "timeout" in trouble.message:
        lines.insert(0, ("warn", "ADA", "no answer yet, trying again (2 of 3)"))
    lines.append(("error", "R/T", f"{trouble.error_type} in step {trouble.job}: the run ends here"))
    return lines


def closing(reason: str, seconds: float, trouble: Trouble | None = None) -> Line:
    """The last line of a run; of a failed one it says again why."""
    level = "success" if reason == "success" else "error"
    why = f"\n{trouble.error_type}: {trouble.message}" if trouble else ""
    return (level, "R/T", f"Run complete in {seconds:.2f}s: {reason}{why}")
