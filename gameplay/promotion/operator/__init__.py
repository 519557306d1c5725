"""What a person orders: pins, swaps, undoes, and what becomes of a plan. `execution` is the way in."""
