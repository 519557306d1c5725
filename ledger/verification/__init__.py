"""Is the log what was written? The walk over it, its findings, and the copies that can be checked."""
