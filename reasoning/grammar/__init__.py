"""The automaton as a grammar that an engine holds decoding to."""

from steiner.reasoning.grammar.grammar import compile_continuation, compile_grammar

__all__ = ["compile_continuation", "compile_grammar"]
