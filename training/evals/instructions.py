"""What to tell a model that was not trained on the task families, and where in its reply the answer is."""

from steiner.reasoning.tasks.base import NOT_FOUND

INSTRUCTIONS = {
    "countdown": (
        "Combine the given numbers with + - * / and parentheses so that they make the target. Use every number exactly "
        "once. Example: make 22 from 15 4 11. Answer: ( 15 + 11 ) - 4"
    ),
    "routes": (
        "The roads are one-way, each written as FROM > TO. Find a way from the start to the goal along them. The "
        "answer is the places in order, the start and the goal included, with single spaces between them. "
        "Example: roads Rome > Oslo, Oslo > Bern, Rome > Kyiv from Rome to Bern. Answer: Rome Oslo Bern"
    ),
    "knights": (
        "Knights always tell the truth, knaves always lie. The names of the people stand before the first colon, then "
        "what each of them says. 'knight X' and 'knave X' claim what X is; 'same X Y' that both are of one kind; "
        "'different X Y' that they are not; 'both X Y' that both are knights; 'neither X Y' that both are knaves; "
        "'either X Y' that one of them at least is a knight. The answer names everybody with the kind. "
        "Example: knights Ann Bob : Ann says knave Bob ; Bob says neither Ann Bob. Answer: Ann knight Bob knave"
    ),
}
"""How each family is played and answered, in English."""
FIRST_WORDS = {"make": "countdown", "roads": "routes", "knights": "knights"}
CLOSING = (
    f"If there is no solution, answer: {NOT_FOUND}. "
    "Think first if you like; the last line is the answer and nothing else."
)


def instructions_for(prompt: str) -> str:
    """The system message for a prompt of a family, in English; its first word tells which."""
    return f"{INSTRUCTIONS[FIRST_WORDS[prompt.split(maxsplit=1)[0]]]}\n{CLOSING}"


def answer_in(reply: str) -> str:
    """The last line that is not empty, without emphasis and without an announcing word."""
    lines = [line.strip(" \t*`$.") for line in reply.splitlines()]
    last = next((line for line in reversed(lines) if line), "")
    announced, colon, rest = last.partition(":")
    return (
        rest.strip(" *`$") if colon and announced.strip(" *").lower() in ("answer", "final answer") else last
    )
