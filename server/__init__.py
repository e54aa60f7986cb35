"""Steiner's server: one vLLM engine behind OpenAI's chat routes and a typed stream of reasoning steps.

A request goes down this list, and its tokens come back up:

- http: the connection, the caller's key, the event stream
- access: what a caller may ask
- api: a route for each dialect
- model: the service, which begins generations on the loaded model
- intake: from the request to an assignment
- generations: running ones, and those that are kept
- conductor: runs tokens through the parser, and intervenes
- engine: vLLM
"""
