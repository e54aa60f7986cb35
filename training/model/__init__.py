"""Models and tokenizers: made, adapted, divided, saved."""
