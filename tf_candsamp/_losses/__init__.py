"""What the two families of losses share."""
