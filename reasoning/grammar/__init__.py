"""The automaton as a grammar with which an engine constrains decoding."""

from steiner.reasoning.grammar.grammar import compile_continuation, compile_grammar

__all__ = ["compile_continuation", "compile_grammar"]
