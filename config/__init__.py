"""What differs between machines: settings, logs, private services, the supervisor."""
