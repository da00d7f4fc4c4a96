"""What the gateway does, one file for each kind of use."""
