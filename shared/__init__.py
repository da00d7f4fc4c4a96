"""What every service shares: events, delivery, storage, artifacts, HTTP defaults, keys, logs and settings."""
