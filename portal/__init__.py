"""Lightning Portal: the control plane and admin portal for OpenFn workflows."""

__version__ = "0.1.0"
