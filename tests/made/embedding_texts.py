"""A thousand texts for embedding models: short and long, plain and odd, in several languages, always the same.

They are drawn from words that stand here, so that what was computed of them once stays comparable.
"""

from __future__ import annotations

import random

SEED = 20261125
TEXTS = 1_000

SENTENCES = {
    "en": (
        "the committee approved the annual budget after a long debate",
        "a quick brown fox jumps over the lazy dog near the riverbank",
        "our customers asked why the delivery arrived three days late",
        "photosynthesis turns sunlight, water and carbon dioxide into sugar",
        "please restart the database before you run the migration again",
        "the tenant shall give written notice no later than thirty days before the end of the lease",
        "interest rates rose for the second time this year, and the markets fell",
        "she tuned the old violin carefully, then played until midnight",
        "vaccines train the immune system to recognise a virus",
        "the compiler reports an unused variable in line forty-two",
    ),
    "de": (
        "der Ausschuss hat den Haushalt nach langer Debatte beschlossen",
        "die Lieferung kam drei Tage zu spät, weil die Brücke gesperrt war",
        "bitte starten Sie den Server neu und prüfen Sie die Protokolle",
        "im Frühling blühen die Äpfelbäume entlang der alten Straße",
    ),
    "fr": (
        "le comité a approuvé le budget après un long débat",
        "où se trouve la gare la plus proche, s'il vous plaît ?",
        "l'été dernier, nous avons traversé les Pyrénées à vélo",
    ),
    "es": (
        "¿cuánto cuesta el billete de ida y vuelta a Sevilla?",
        "la niña leyó el cuento en voz alta mientras llovía",
        "el contrato vence el último día del mes de junio",
    ),
    "ru": (
        "комитет одобрил бюджет после долгих споров",
        "зимой река замерзает, и дети катаются на коньках",
    ),
    "el": ("η επιτροπή ενέκρινε τον προϋπολογισμό μετά από μακρά συζήτηση",),
    "zh": ("委员会经过长时间的讨论后批准了年度预算", "请在运行迁移之前重新启动数据库"),
    "ja": ("委員会は長い議論の末に予算を承認しました", "春には川沿いの桜が満開になります"),
    "ko": ("위원회는 오랜 논의 끝에 예산을 승인했습니다",),
    "ar": ("وافقت اللجنة على الميزانية بعد نقاش طويل",),
    "hi": ("समिति ने लंबी बहस के बाद बजट को मंज़ूरी दी",),
    "th": ("คณะกรรมการอนุมัติงบประมาณหลังจากการอภิปรายที่ยาวนาน",),
}
CODE = (
    "def add(a: int, b: int) -> int:\n    return a + b",
    "SELECT name, COUNT(*) FROM orders WHERE placed >= '2026-01-01' GROUP BY name;",
    '{"id": 42, "tags": ["a", "b"], "price": 19.99, "ok": true}',
    '<p class="note">It&rsquo;s <b>5&nbsp;&times;&nbsp;7</b></p>',
    "for (let i = 0; i < rows.length; i++) total += rows[i].price * 1.19;",
    "https://example.com/path?query=caf%C3%A9&page=2#top",
)
ODD = (
    "", " ", ".", "?!", "…", "\n", "\t\t", "a", "I", "42", "3.14159", "-", "🙂", "🇩🇪", "👩‍👩‍👧", "e\u0301", "\u200b", "\u00a0",
    "[CLS]", "[MASK] [SEP] [PAD]", "[UNK]", "##ing", "ﬁ", "ẞ", "İ", "Ⅻ", "①", "①②③", "\ufffd", "\x00\x01", "ａｂｃ", "𝒳",
    "x" * 101, "x" * 5_000, "ab " * 400, "9" * 300, "😀" * 200, "漢" * 400, "- " * 300, "\r\n" * 50 + "end", "ÄÖÜ äöü ß",
    "don't can't won't", "U.S.A. vs. E.U.", "100 % of 1,000.50 €", "A/B-test_v2.1", "CamelCaseIdentifierWithManyParts",
)  # fmt: skip
EMOJI = ["🙂", "🎉", "🚀", "❤️", "👍🏽", "😭", "✅", "⚠️", "📈", "🐍"]
ENDS = (".", ".", ".", "!", "?", "...", ";", " -", "")
KINDS = ("en", "other", "mixed", "code")
WORDS_MAX = 400


def embedding_texts(count: int = TEXTS, seed: int = SEED) -> list[str]:
    """Return the first ``count`` texts of a seed; the odd ones come first, the others have 1 to 400 words."""
    draw = random.Random(seed)
    return [ODD[index] if index < len(ODD) else _text(draw) for index in range(count)]


def _text(draw: random.Random) -> str:
    """Return a text whose length is uniform in its logarithm, as lengths of real texts nearly are."""
    words_max = round(WORDS_MAX ** draw.random())
    (kind,) = draw.choices(KINDS, (6, 3, 2, 1))
    other = draw.choice([name for name in SENTENCES if name != "en"])
    words: list[str] = []
    while len(words) < words_max:
        words += _sentence(draw, kind, other).split(" ")
    return " ".join(words[:words_max])


def _sentence(draw: random.Random, kind: str, other: str) -> str:
    if kind == "code" and draw.random() < 0.7:
        return draw.choice(CODE)
    if kind == "mixed":
        other = draw.choice(list(SENTENCES))
    words = draw.choice(SENTENCES["en" if kind in ("en", "code") else other]).split(" ")
    if draw.random() < 0.5:  # the same words in another order are another text
        draw.shuffle(words)
    if draw.random() < 0.3:
        words.insert(draw.randrange(len(words) + 1), str(draw.randrange(10 ** draw.randint(1, 9))))
    if draw.random() < 0.1:
        words.append(draw.choice(EMOJI))
    sentence = " ".join(words) + draw.choice(ENDS)
    return sentence.upper() if draw.random() < 0.05 else sentence[:1].upper() + sentence[1:]
