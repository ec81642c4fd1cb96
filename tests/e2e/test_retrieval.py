"""Retrieval with the real model that embeds, through Google's SDK: a question finds the passage that answers it."""

import pytest
from google import genai

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

MODEL = "gemini-embedding-001"
PASSAGES = [
    "Water boils at 100 degrees Celsius at sea level.",
    "The Nile flows north through Egypt into the Mediterranean.",
    "Johann Sebastian Bach worked in Leipzig for 27 years.",
    "A chess game begins with the white pieces to move.",
    "Bees tell each other where flowers are by dancing.",
    "The invoice is due thirty days after it was issued.",
    "To reset the router, hold the small button for ten seconds.",
    "Penicillin was discovered by Alexander Fleming in 1928.",
    "The last train to Basel leaves at twenty to midnight.",
    "Bread dough has to rise in a warm place before it is baked.",
    "The Great Wall was built to keep out invaders from the north.",
    "A marathon is a little over 42 kilometres long.",
    "The parking garage closes at ten in the evening.",
    "Mercury is the planet that is closest to the sun.",
    "Cats sleep for most of the day and hunt at dusk.",
    "The warranty covers defects for two years from the purchase.",
    "Photosynthesis turns light, water and carbon dioxide into sugar.",
    "The museum is closed on Mondays and admission is free on Sundays.",
    "Python lists can be sorted in place with the sort method.",
    "The heart pumps about five litres of blood a minute.",
    "Guests may use the swimming pool from seven in the morning.",
    "Copper conducts electricity better than iron.",
    "The novel Moby-Dick tells of a captain who hunts a white whale.",
    "Employees get a day off when they move house.",
    "Glaciers are melting faster than they did a century ago.",
    "The password must have at least twelve characters.",
    "Tomatoes need sun, water and a stake to climb.",
    "The euro was introduced as cash in 2002.",
    "An octopus has three hearts and blue blood.",
    "The committee elects its chair for a term of four years.",
]
QUESTIONS = {
    "Who found the first antibiotic?": 7,
    "How do insects communicate the location of food?": 4,
    "When do I have to pay the bill?": 5,
    "My internet box is stuck, what should I do?": 6,
    "On which days can I visit the exhibition for nothing?": 17,
    "How long is the guarantee?": 15,
    "Which planet has the smallest orbit?": 13,
    "How long may my login secret be at the least?": 25,
    "How do plants make food?": 16,
    "Until when can I leave my car there?": 12,
}


def test_the_right_passage_comes_first_for_nine_of_ten_questions(real):
    client = genai.Client(http_options={"base_url": real.url}, api_key="anything")

    def vectors(texts, task):
        answer = client.models.embed_content(model=MODEL, contents=texts, config={"task_type": task})
        return [each.values for each in answer.embeddings]

    kept = vectors(PASSAGES, "RETRIEVAL_DOCUMENT")
    found = {}
    for question, vector in zip(QUESTIONS, vectors(list(QUESTIONS), "RETRIEVAL_QUERY"), strict=True):
        likeness = [sum(a * b for a, b in zip(vector, each, strict=True)) for each in kept]
        found[question] = max(range(len(kept)), key=likeness.__getitem__)
    wrong = {question: PASSAGES[place] for question, place in found.items() if place != QUESTIONS[question]}
    assert len(wrong) <= 1, wrong
