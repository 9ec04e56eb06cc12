"""What is on offer: offers and the launchers.yaml that describes them."""
