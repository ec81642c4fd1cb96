"""Short texts for six drawers: support tickets and product reviews made from templates, none twice.

Each is a sentence that says what it is about, between sentences that say nothing. The instruction that
goes with them is about 500 tokens long: what every label means, with examples.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

LABELS = ("billing", "delivery", "defect", "account", "praise", "question")

INSTRUCTION = """\
You sort messages that customers of an online shop have written. Read the message and choose the one \
label that fits it best. Look at what the customer wants, not at single words. Choose exactly one label, \
also when two seem to fit: then take the one that the customer has to get an answer about first.

billing: the customer writes about money: an invoice, a payment that was taken twice, a refund that did \
not come, a wrong price, a discount that was not given, a credit card that was refused.
Example: "You charged my card two times for the same kettle." is billing.
Example: "The invoice shows a price that I never agreed to." is billing.

delivery: the customer writes about the way of a parcel: it is late, lost, went to the wrong house, was \
left in the rain, or nobody knows where it is.
Example: "My chair should have come on Monday and it is Friday now." is delivery.
Example: "The driver left the box with a neighbour who is on holiday." is delivery.

defect: the customer has the thing and it does not work: it is broken, scratched, a part is missing, it \
makes noises, it stopped working after some days.
Example: "The lamp flickers and smells of smoke." is defect.
Example: "Two screws and one leg of the table were missing." is defect.

account: the customer writes about signing in or about personal data: a password, a locked account, a \
change of address or name, an email that no longer exists, deleting everything.
Example: "I cannot sign in since I have a new phone." is account.
Example: "Please delete my account and all of my data." is account.

praise: the customer is happy and wants nothing: thanks, a good review, a recommendation.
Example: "Best blanket that I have ever had, thank you so much!" is praise.
Example: "Five stars, my mother loves her new radio." is praise.

question: the customer has not bought anything yet, or asks how something works, fits, or is cleaned.
Example: "Does this tent have room for four people?" is question.
Example: "How do I clean the filter of the coffee machine?" is question.

Write nothing but the label."""

THINGS = (
    "kettle", "lamp", "chair", "tent", "radio", "blanket", "toaster", "backpack", "camera", "drill",
    "fan", "heater", "keyboard", "mirror", "mixer", "monitor", "pan", "pillow", "printer", "rug",
    "scale", "shelf", "speaker", "stool", "suitcase", "table", "tablet", "vacuum cleaner", "watch", "wok",
)  # fmt: skip
SENTENCES = {
    "billing": (
        "I paid for the {thing} twice and want one payment back.",
        "The invoice for the {thing} has the wrong amount on it.",
        "Where is the refund for the {thing} that I sent back?",
        "My discount code was not used when I paid for the {thing}.",
    ),
    "delivery": (
        "The {thing} that I ordered has still not arrived.",
        "The parcel with the {thing} went to the wrong address.",
        "Tracking says that my {thing} was delivered, but nothing is here.",
        "The {thing} was promised for last week and the courier knows nothing.",
    ),
    "defect": (
        "The {thing} stopped working after two days.",
        "There is a crack in the {thing} and one part is missing.",
        "My new {thing} makes a terrible noise and gets very hot.",
        "The {thing} came out of the box broken.",
    ),
    "account": (
        "I cannot sign in to see my order of the {thing}.",
        "Please change the email address of my account, the {thing} was a gift.",
        "My password does not work any more since I bought the {thing}.",
        "Delete my account after the order of the {thing}, please.",
    ),
    "praise": (
        "The {thing} is wonderful, thank you!",
        "I love my {thing} and tell all my friends about it.",
        "Five stars for the {thing}, it is better than I had hoped.",
        "Great {thing}, great shop, I will come back.",
    ),
    "question": (
        "Is the {thing} also sold in blue?",
        "How do I clean the {thing} without damage?",
        "Would the {thing} fit into a small room?",
        "Does the {thing} come with a guarantee of three years?",
    ),
}
BEFORE = (
    "Hello,", "Good morning,", "Dear team,", "Hi there,", "Good evening,", "Greetings,",
    "To whom it may concern,", "Hey,",
)  # fmt: skip
AFTER = (
    "I write from {place}.",
    "Regards from {place}.",
    "My order number is {number}.",
    "This is my message number {number}.",
    "You can call me at {number}.",
    "I have been a customer in {place} since {year}.",
)
PLACES = ("Lisbon", "Oslo", "Vienna", "Prague", "Athens", "Dublin", "Madrid", "Turin", "Lyon", "Ghent")


class Ticket(NamedTuple):
    """A text, and the label that its template was written for."""

    text: str
    label: str


def tickets(seed: int = 11) -> Iterator[Ticket]:
    """Yield texts without end, the same for the same seed, no text twice."""
    chance, seen = random.Random(seed), set[str]()
    while True:
        ticket = _ticket(chance)
        if ticket.text not in seen:
            seen.add(ticket.text)
            yield ticket


def _ticket(chance: random.Random) -> Ticket:
    label = chance.choice(LABELS)
    what = chance.choice(SENTENCES[label]).format(thing=chance.choice(THINGS))
    end = chance.choice(AFTER).format(
        place=chance.choice(PLACES), number=chance.randrange(1000, 10_000), year=chance.randrange(1990, 2026)
    )
    return Ticket(f"{chance.choice(BEFORE)} {what} {end}", label)
