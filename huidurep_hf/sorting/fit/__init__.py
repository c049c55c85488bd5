"""How far a recording is from those that a model was developed on."""
