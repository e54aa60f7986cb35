"""Running one generation: the engine's tokens go through the parser, and interventions may cut in."""
