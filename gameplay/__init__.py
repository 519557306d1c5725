"""What we do: the game, the models, the promotion cycle and the service around them."""
