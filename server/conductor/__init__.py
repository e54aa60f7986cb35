"""Running one generation: engine tokens go through the parser, and interventions may cut in."""
