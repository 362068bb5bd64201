"""Lightning Portal: the control plane and admin portal for OpenFn workflows."""
