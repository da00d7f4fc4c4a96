"""Save everything that the services keep, and restore it into empty servers: `python -m shared.backup`."""
