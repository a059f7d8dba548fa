"""What requests cost, and how that reaches the store."""
