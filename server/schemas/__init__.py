"""Bodies of requests and answers, as pydantic models. Unknown fields are refused at every level."""
