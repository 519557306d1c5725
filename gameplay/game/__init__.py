"""The game itself: rules, players and bots, the features a model sees, and the answer of a round."""
