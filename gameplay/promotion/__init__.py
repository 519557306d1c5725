"""Moving aliases: plan, apply, complete; by a cycle, by a report, or as the registry has them."""
