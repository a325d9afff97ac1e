"""Real servers on loopback: model host with faults, node registry, git over HTTP."""
