"""Chat and completions: a name becomes a version, a version a replica."""
