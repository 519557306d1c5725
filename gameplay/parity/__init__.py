"""Whether what was served is what should have been: rounds as they were served, and the checks of them."""
