"""JSON Schemas as grammars: enforced exactly, or refused with the keyword and its place.

document (what was sent) -> facts (what it says) -> normal form (the values that fit) -> lark (the rules).
"""
