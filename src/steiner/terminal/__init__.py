"""What a person sees of a reasoning stream in a terminal."""
