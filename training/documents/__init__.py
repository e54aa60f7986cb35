"""From records to the token ids that a stage learns."""
