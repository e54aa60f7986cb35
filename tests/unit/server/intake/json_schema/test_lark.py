"""Which rules of a grammar a text can come of."""

from steiner.server.intake.json_schema.lark import needed, productive

BODIES = {
    "start": ["OPEN item CLOSE", "endless"],
    "item": ["WORD", "item_2 (COMMA item)*"],
    "item_2": ['""', "endless WORD"],
    "endless": ["OPEN endless CLOSE"],
    "unused": ["WORD2"],
    "multiple": ['%json {"endless": 1}'],
}


def test_rules_that_never_come_to_an_end_are_left_out() -> None:
    kept = productive(BODIES)
    assert kept == {
        "start": ["OPEN item CLOSE"],
        "item": ["WORD", "item_2 (COMMA item)*"],
        "item_2": ['""'],
        "unused": ["WORD2"],
        "multiple": BODIES["multiple"],
    }


def test_a_long_chain_takes_no_long_time() -> None:
    bodies = {f"r{number}": [f"WORD r{number + 1}"] for number in range(50_000)} | {"r50000": ["WORD"]}
    assert productive(bodies).keys() == bodies.keys()


def test_what_is_needed_is_found_by_name() -> None:
    assert needed("item", productive(BODIES)) == {"item", "WORD", "item_2", "COMMA", '""'}
