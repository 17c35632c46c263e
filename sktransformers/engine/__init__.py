"""Loops over batches, on a device: the only rooms that know one."""
