"""What followed the same context earlier in a sequence: the drafter's index, and drafts from it, compiled by Numba.

A context is what stands before a token, looked at in eight ways: its last one, two, three, four or six tokens; the last
three and which section is open; how far into that section it is; both and the verdict and the last token. For each
way a table remembers the token that came last. How often each way was right lately, in each section, decides which one
is believed, and how far a draft goes. All of it follows from the tokens of the one sequence alone, so a request with
a seed drafts the same tokens again.

Arrays of a sequence's slot:
    table: uint64 of shape (2**n,), entries of a 40-bit tag of the context and a 24-bit token.
    rates: float64 of shape (2, NUM_WAYS + 1, NUM_PLACES), how often each way was right, and how often it was asked;
        last, by bands of likelihood, how often the token that was believed came, and how likely it was thought.
    state: int64 of shape (STATE_SIZE,), see the names below.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

NUM_WAYS = 8
NUM_PLACES = 16
NUM_BANDS = 8
STATE_SIZE = 6
SEEN, PLACE, SINCE, VERDICT, CHAIN, CHAIN_END = range(STATE_SIZE)
"""Tokens indexed; the open section; tokens since it opened; the step's verdict; the certain tokens still to come."""
LOOK_BACK = 6
DECAY = 0.98
DECAY_OVERALL = 0.999
MOST_LIKELY = 0.95
PRIOR_WEIGHT = 3.0
SHOWN_WEIGHT = 3.0
PRIOR = np.array([0.2, 0.3, 0.4, 0.45, 0.5, 0.5, 0.3, 0.45])
#: Weights of a logistic regression on whether the first token of a draft was accepted, over 19,270 places of greedy
#: traces of steiner-tiny in three families and languages.
BIAS, RATE_WEIGHT, AGREEING, OTHER = -0.26, 0.55, 0.24, 0.35
TOKEN_BITS = 24

_PRIME = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)
_TOKEN_BITS = np.uint64(TOKEN_BITS)
_TOKEN_MASK = np.uint64((1 << TOKEN_BITS) - 1)
_LENGTHS = np.array([1, 2, 3, 4, 6])


@njit(cache=True, nogil=True)
def _mixed(key: Any, value: Any) -> Any:
    mixed = (key ^ np.uint64(value)) * _PRIME
    return mixed ^ (mixed >> _SHIFT)


@njit(cache=True, nogil=True)
def _contexts(tokens: Any, end: int, state: Any, keys: Any) -> None:
    """Hashes of the context behind `tokens[:end]` in each way; 0 where it is too short."""
    place, since, verdict = state[PLACE], state[SINCE], state[VERDICT]
    key = np.uint64(1)
    way = 0
    for length in range(1, LOOK_BACK + 1):
        known = length <= end
        if known:
            key = _mixed(key, tokens[end - length])
        if length == _LENGTHS[way]:
            keys[way] = key if known else np.uint64(0)
            if length == 3:
                keys[5] = _mixed(key, place + 101) if known else np.uint64(0)
            way += 1
    where = _mixed(_mixed(np.uint64(2), place), since)
    keys[6] = where
    keys[7] = _mixed(_mixed(where, verdict), tokens[end - 1]) if end else np.uint64(0)


@njit(cache=True, nogil=True)
def _entry(key: Any, way: int, salt: Any, table: Any) -> Any:
    """Where the entry of a context lies in the table, and its tag.

    The place does not depend on the salt. With the salt in it, another run of the same sequence would lose others.
    """
    return _mixed(key, way) & np.uint64(len(table) - 1), _mixed(key + np.uint64(way), salt) >> _TOKEN_BITS


@njit(cache=True, nogil=True)
def _is_certain(token: Any, state: Any, ids: Any) -> Any:
    """Whether a token is the next of those that must follow."""
    return state[CHAIN] < state[CHAIN_END] and ids[state[CHAIN]] == token


@njit(cache=True, nogil=True)
def _ends_with(tokens: Any, end: int, ids: Any, begin: int, length: int) -> bool:
    """Whether `tokens[:end]` ends with `ids[begin : begin + length]`."""
    if length > end:
        return False
    for offset in range(length):  # noqa: SIM110 - Numba compiles no all()
        if tokens[end - length + offset] != ids[begin + offset]:
            return False
    return True


@njit(cache=True, nogil=True)
def _step(tokens: Any, index: int, state: Any, marks: Any) -> None:
    """Move the structure behind `tokens[index]`."""
    first, following, spelling, spans, chains, ids = marks
    token = tokens[index]
    if _is_certain(token, state, ids):
        state[CHAIN] += 1
    else:
        state[CHAIN] = state[CHAIN_END] = 0
    state[SINCE] += 1
    mark = first[token] if token < len(first) else -1
    while mark >= 0 and not _ends_with(tokens, index + 1, ids, spelling[mark, 0], spelling[mark, 1]):
        mark = following[mark]
    if mark < 0:
        return
    state[PLACE] = spans[mark, 0]
    state[SINCE] = 0
    if spans[mark, 1] >= 0:
        state[VERDICT] = spans[mark, 1]
    begin, length = chains[mark, state[VERDICT], 0], chains[mark, state[VERDICT], 1]
    if length > 0 and state[CHAIN] >= state[CHAIN_END]:
        state[CHAIN] = begin
        state[CHAIN_END] = begin + length


@njit(cache=True, nogil=True)
def _likely(rate: float, num_agreeing: int, num_others: int) -> Any:
    """The probability of a token that the best way finds: how often that way is right, and what the others find."""
    rate = min(max(rate, 0.01), 0.99)
    score = BIAS + RATE_WEIGHT * np.log(rate / (1 - rate)) + AGREEING * num_agreeing - OTHER * num_others
    return 1 / (1 + np.exp(-score))


@njit(cache=True, nogil=True)
def _guess(keys: Any, salt: Any, table: Any, rates: Any, place: int, found: Any) -> Any:
    """What each way finds goes to `found`, -1 for nothing. Returns the token to believe, or -1, and its probability."""
    token, best, num_found = -1, 0.0, 0
    for way in range(NUM_WAYS):
        found[way] = -1
        if keys[way] == 0:
            continue
        index, tag = _entry(keys[way], way, salt, table)
        if table[index] >> _TOKEN_BITS != tag:
            continue
        found[way] = np.int64(table[index] & _TOKEN_MASK)
        num_found += 1
        rate = (rates[0, way, place] + PRIOR_WEIGHT * PRIOR[way]) / (rates[1, way, place] + PRIOR_WEIGHT)
        if rate > best:
            best = rate
            token = found[way]
    if token < 0:
        return token, 0.0
    num_agreeing = (found == token).sum()
    return token, _likely(best, num_agreeing, num_found - num_agreeing)


@njit(cache=True, nogil=True)
def _band(likely: float) -> Any:
    """The band that a likelihood is in."""
    return min(int(likely * NUM_BANDS), NUM_BANDS - 1)


@njit(cache=True, nogil=True)
def _as_shown(likely: float, rates: Any) -> Any:
    """A likelihood, set right by how those of its band have done in this sequence, against what was thought of them."""
    band = _band(likely)
    came, thought = rates[0, NUM_WAYS, band], rates[1, NUM_WAYS, band]
    return likely * (came + SHOWN_WEIGHT) / (thought + SHOWN_WEIGHT)


@njit(cache=True, nogil=True)
def learn(
    tokens: Any, end: int, salt: Any, table: Any, rates: Any, state: Any, marks: Any, overall: Any
) -> None:
    """Index the tokens of a sequence from where the index stands up to `end`.

    Args:
        overall: float64 of shape (2, NUM_BANDS), how often guesses came and how likely they were thought, lately, in
            all sequences.
    """
    keys = np.empty(NUM_WAYS, np.uint64)
    found = np.empty(NUM_WAYS, np.int64)
    ids = marks[5]
    for index in range(state[SEEN], end):
        token = tokens[index]
        if not _is_certain(token, state, ids):
            _contexts(tokens, index, state, keys)
            place = state[PLACE]
            guessed, likely = _guess(keys, salt, table, rates, place, found)
            if guessed >= 0:
                shown = _as_shown(likely, rates)
                band = _band(shown)
                overall[0, band] = overall[0, band] * DECAY_OVERALL + (guessed == token)
                overall[1, band] = overall[1, band] * DECAY_OVERALL + shown
                band = _band(likely)
                rates[0, NUM_WAYS, band] = rates[0, NUM_WAYS, band] * DECAY + (guessed == token)
                rates[1, NUM_WAYS, band] = rates[1, NUM_WAYS, band] * DECAY + likely
            for way in range(NUM_WAYS):
                if keys[way] == 0:
                    continue
                if found[way] >= 0:
                    rates[0, way, place] = rates[0, way, place] * DECAY + (found[way] == token)
                    rates[1, way, place] = rates[1, way, place] * DECAY + 1
                entry, tag = _entry(keys[way], way, salt, table)
                table[entry] = (tag << _TOKEN_BITS) | np.uint64(token)
        _step(tokens, index, state, marks)
    state[SEEN] = end


@njit(cache=True, nogil=True)
def draft(
    tokens: Any,
    end: int,
    limit: int,
    threshold: float,
    trust: Any,
    salt: Any,
    slot: Any,
    marks: Any,
    out: Any,
    is_marker: Any,
) -> Any:
    """Write the tokens that are likely to follow `tokens[:end]` to `out`.

    Args:
        limit: the most to write.
        threshold: the least probability that a token is accepted, with all before it.
        trust: float64 of shape (NUM_BANDS,), what likelihoods of each band are worth before the sequence has shown it;
            1 for what they say.
        slot: table, rates and state of the sequence, indexed up to `end`.
        is_marker: set to whether each token is a certain one.

    Returns:
        How many, and how many of them are likely to be accepted.
    """
    table, rates, before = slot
    state = before.copy()
    keys = np.empty(NUM_WAYS, np.uint64)
    found = np.empty(NUM_WAYS, np.int64)
    # Room for the marks of several tokens that a draft ends.
    num_window = min(end, 64)
    window = np.empty(num_window + limit, np.int64)
    window[:num_window] = tokens[end - num_window : end]
    ids = marks[5]
    probability = 1.0
    expected = 0.0
    count = 0
    while count < limit:
        if state[CHAIN] < state[CHAIN_END]:
            token = ids[state[CHAIN]]
            is_marker[count] = True
        else:
            _contexts(window, num_window + count, state, keys)
            token, likely = _guess(keys, salt, table, rates, state[PLACE], found)
            likely = _as_shown(likely, rates)
            likely *= trust[_band(likely)]
            probability *= min(MOST_LIKELY, likely)
            if token < 0 or probability < threshold:
                break
            is_marker[count] = False
        out[count] = token
        window[num_window + count] = token
        _step(window, num_window + count, state, marks)
        count += 1
        expected += probability
    return count, expected


@njit(cache=True, nogil=True)
def draft_rows(
    tokens: Any,
    ends: Any,
    max_model_len: int,
    slots: Any,
    thresholds: Any,
    trust: Any,
    index: Any,
    marks: Any,
    overall: Any,
    drafts: Any,
) -> Any:
    """Learn and draft for all rows of a batch in one call, because a call from Python costs more than its work.

    Args:
        tokens: int32 of shape (rows, at least max_model_len).
        ends: int32 of shape (rows,), how many of them there are.
        max_model_len: tokens of prompt and completion together, at most.
        slots: int64 of shape (rows,), where the index has the row's sequence; -1 for a row without drafts.
        thresholds: float64 of shape (rows,), the least probability of a drafted token.
        trust: float64 of shape (rows, NUM_BANDS), as for `draft`.
        index: tables, rates, states and salts of all slots.
        drafts: int64 of shape (rows, most), bool of the same shape and int64 of shape (rows,): tokens, whether each is
            a certain one, and how many. Written.

    Returns:
        float64 of shape (rows,), how many of each row's drafted tokens are likely to be accepted.
    """
    tables, rates, states, salts = index
    out, is_marker, counts = drafts
    expected = np.zeros(len(slots))
    for row in range(len(slots)):
        slot, end = slots[row], ends[row]
        counts[row] = 0
        if slot < 0:
            continue
        own = (tables[slot], rates[slot], states[slot])
        learn(tokens[row], end, salts[slot], own[0], own[1], own[2], marks, overall)
        limit = min(out.shape[1], max_model_len - end - 1)
        if limit > 0:
            counts[row], expected[row] = draft(
                tokens[row],
                end,
                limit,
                thresholds[row],
                trust[row],
                salts[slot],
                own,
                marks,
                out[row],
                is_marker[row],
            )
    return expected


@njit(cache=True, nogil=True)
def count_drafts(num_sampled: Any, slots: Any, last_counts: Any, last_markers: Any, totals: Any) -> None:
    """Count the last draft of each row and what was sampled of it. The last token of a step is never a drafted one.

    Args:
        num_sampled: int64 of shape (rows,), tokens of the step; rows with none are left out.
        last_counts: int64 of shape (slots,), drafted tokens by slot; `last_markers`, bool of shape (slots, most), says
            which are certain ones.
        totals: int64 in the order of `DRAFT_COUNTS`.
    """
    for row in range(len(slots)):
        slot, num_tokens = slots[row], num_sampled[row]
        if slot < 0 or num_tokens == 0:
            continue
        totals[0] += 1
        totals[1] += num_tokens
        for place in range(last_counts[slot]):
            kind = 0 if last_markers[slot, place] else 1
            totals[2 + kind] += 1
            if place < num_tokens - 1:
                totals[4 + kind] += 1
