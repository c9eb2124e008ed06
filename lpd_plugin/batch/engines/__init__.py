"""Where the work of a batch is done: processes of this machine, or a Ray cluster."""
