"""Which version plays next: evidence in, events out. Pure, so that an auditor decides the same years later."""
