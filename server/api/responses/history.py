"""Stored responses as requests name them: one to read, one to continue, items of any to send again."""

from __future__ import annotations

import re
import uuid

from steiner.reasoning.steps import Step
from steiner.server.access.keys import Caller
from steiner.server.access.step_seal import SealBroken, SealStep
from steiner.server.api.responses.events import response_so_far
from steiner.server.api.responses.input import (
    Item,
    ResponseRecord,
    carried,
    carried_item,
    given_items,
    kept_item,
)
from steiner.server.api.responses.items import ItemReference, ReasoningItem, WholeItem
from steiner.server.api.responses.request import ResponseRequest
from steiner.server.errors import Gone, InvalidRequest, UnknownResource
from steiner.server.generations.readable import Readable
from steiner.server.model.service import Service

ITEM_ID = re.compile(r"(?:msg|rs|fc|fco)_([0-9a-f]{32})(?:_(?:in)?[0-9]+)?")
"""This server's item ids contain the id of the response that the item was first part of."""
LONGEST_SHOWN = 80


async def find_response(service: Service, response_id: str, caller: Caller) -> Readable:
    """A stored response of the caller.

    Raises:
        UnknownResource: there is none, or it is another caller's.
        Gone: its beginning is gone.
    """
    generation = await service.generations.find(response_id, caller.name)
    if generation is None or generation.endpoint != "responses":
        raise UnknownResource(
            f"no response {response_id!r}; one that was created with store=false is not kept",
            param="response_id",
            code="response_not_found",
        )
    if generation.first_sequence_number > 1:
        raise Gone(
            f"the beginning of response {response_id!r} is gone: it could not be saved, and memory holds "
            f"{service.settings.max_stream_bytes} bytes of a stream (max_stream_bytes)",
            param="response_id",
            code="events_gone",
        )
    return generation


def seal_of(service: Service, generation: Readable, *, asked: bool = False) -> SealStep | None:
    """What seals the steps, if the response was created with sealed steps or they are asked for now."""
    if asked or ResponseRecord.model_validate(generation.request).seals_reasoning:
        return service.step_seal.sealing_for(generation.owner)
    return None


async def conversation_of(
    service: Service, body: ResponseRequest, caller: Caller, response_suffix: str
) -> list[Item]:
    """All that a response is made from: what the response before it left, and the input with its references resolved.

    Args:
        response_suffix: of the response to come; its new items are found by it.

    Raises:
        InvalidRequest: an item or response that is named is not there, or a sealed step does not open.
    """
    items = await _earlier(service, body, caller)
    known = {item["id"] for item in items}
    # The response that is continued has already left out the steps that the search abandoned.
    continued = {response for item in items if (response := _response_of(item["id"]))}
    stored = _StoredItems(service, caller)
    for index, given in enumerate(given_items(body.input)):
        if not isinstance(given, ItemReference):
            item = kept_item(given, f"{response_suffix}_in{index}", _step_of(service, given, caller, index))
        elif given.id in known or (given.id.startswith("rs_") and _response_of(given.id) in continued):
            # Some clients send everything again even with a previous_response_id.
            continue
        else:
            item = await stored.find(given.id, index)
        known.add(item["id"])
        items.append(item)
    return items


async def _earlier(service: Service, body: ResponseRequest, caller: Caller) -> list[Item]:
    """Items of the conversation before this body, as the response before it left it."""
    response_id = body.previous_response_id
    if response_id is None:
        return []
    try:
        generation = await find_response(service, response_id, caller)
    except (UnknownResource, Gone) as error:
        raise InvalidRequest(
            error.message, param="previous_response_id", code="previous_response_not_found"
        ) from error
    earlier = (await response_so_far(generation)).body
    if earlier.status not in ("completed", "incomplete"):
        raise InvalidRequest(
            f"response {response_id!r} is {earlier.status}; only one that is completed or incomplete can be "
            "continued",
            param="previous_response_id",
            code="previous_response_not_completed",
        )
    return [*earlier.record.items, *carried(earlier.items)]


class _StoredItems:
    """Items of stored responses of one caller; each response is read once."""

    def __init__(self, service: Service, caller: Caller) -> None:
        self._service = service
        self._caller = caller
        self._read: dict[str, dict[str, Item]] = {}

    async def find(self, item_id: str, index: int) -> Item:
        """The item as a later response carries it.

        Raises:
            InvalidRequest: it is not there, or not finished yet.
        """
        param = f"input.{index}.id"
        response_id = _response_of(item_id)
        item = (await self._items_of(response_id)).get(item_id) if response_id else None
        if item is None:
            raise InvalidRequest(
                f"{param}: no item {item_id[:LONGEST_SHOWN]!r}; items are found while the response is stored that they "
                "were first part of, which one with store=false never is; send the item itself",
                param=param,
                code="item_not_found",
            )
        if item["status"] == "in_progress":
            raise InvalidRequest(
                f"{param}: item {item_id!r} is not finished yet; wait for its response",
                param=param,
                code="invalid_value",
            )
        return item

    async def _items_of(self, response_id: str) -> dict[str, Item]:
        if response_id not in self._read:
            try:
                generation = await find_response(self._service, response_id, self._caller)
            except (UnknownResource, Gone):
                self._read[response_id] = {}
            else:
                body = (await response_so_far(generation)).body
                items = [*body.record.items, *map(carried_item, body.items)]
                self._read[response_id] = {item["id"]: item for item in items}
        return self._read[response_id]


def _response_of(item_id: str) -> str | None:
    """The response that an item was first part of, found by the item's id; None for an id that is not ours."""
    named = ITEM_ID.fullmatch(item_id)
    return f"resp_{named[1]}" if named else None


def _step_of(service: Service, given: WholeItem, caller: Caller, index: int) -> Step | None:
    if not isinstance(given, ReasoningItem):
        return None
    if not given.encrypted_content:
        return given.step
    try:
        return service.step_seal.open(given.encrypted_content, caller.name)
    except SealBroken:
        raise InvalidRequest(
            f"input.{index}.encrypted_content is no step that this server sealed for this key; send it back as it came "
            "and with the key that it came to, or leave it out (without reasoning_seal_key, a server that was started "
            "again cannot open what it sealed before)",
            param=f"input.{index}.encrypted_content",
            code="invalid_encrypted_content",
        ) from None


def new_suffix() -> str:
    """What the ids of a response and of its new items have in common."""
    return uuid.uuid4().hex
