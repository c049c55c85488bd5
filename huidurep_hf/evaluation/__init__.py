"""How good it is, said in numbers."""
