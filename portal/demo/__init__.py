"""Demo data: a portal that looks lived in, for newcomers, screenshots and trials."""

from portal.demo.loading import Loaded, load

__all__ = ["Loaded", "load"]
