"""How a host runs the nodes. Nothing here is imported without one."""
