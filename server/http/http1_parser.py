"""Requests that offer to switch protocols, read as the HTTP/1.1 requests that they also are.

A server may ignore `Upgrade` and answer as if it were not there (RFC 9110, 7.8). `curl --http2` and Java's HttpClient
offer h2c with every first request, even one with a body. httptools takes what follows such a head for the
other protocol, so the body would be lost.
"""

from __future__ import annotations

from collections.abc import Callable

import httptools


class Http1Parser:
    """httptools' parser as uvicorn uses it. The head of a request with an offer is parsed again without the offer.

    Args:
        protocol: takes the parser's callbacks.
        head_without_offer: gives the head that was parsed last, without the offer, to go on with.
    """

    def __init__(self, protocol: object, head_without_offer: Callable[[], bytes]) -> None:
        self._protocol = protocol
        self._head_without_offer = head_without_offer
        self._parser = self._new_parser()

    def feed_data(self, data: bytes) -> None:
        """Parse; what follows the head of a request with an offer is its body.

        Raises:
            httptools.HttpParserError: it is not HTTP.
        """
        while True:
            try:
                self._parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as offer:
                [num_read] = offer.args
                data = self._head_without_offer() + data[num_read:]
                # The parser that gave up takes no more if the client wants the connection to end with this request.
                self._parser = self._new_parser()

    def should_upgrade(self) -> bool:
        """Whether the request makes an offer."""
        return bool(self._parser.should_upgrade())

    def should_keep_alive(self) -> bool:
        """Whether more requests may follow on the connection."""
        return bool(self._parser.should_keep_alive())

    def get_method(self) -> bytes:
        """Of the request."""
        return bytes(self._parser.get_method())

    def get_http_version(self) -> str:
        """The request's version, "1.0" or "1.1"."""
        return str(self._parser.get_http_version())

    def _new_parser(self) -> httptools.HttpRequestParser:
        parser = httptools.HttpRequestParser(self._protocol)
        # As in uvicorn: bytes after the last request of a connection are not an error.
        parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return parser
