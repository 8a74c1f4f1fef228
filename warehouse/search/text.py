"""Titles, names and what visitors type come in; the text that search compares goes out."""

import re
import unicodedata

from anyascii import anyascii

LONGEST = 200  # signs of a query that are looked at
# Around a title or a name, so that its first sign and its last make grams too. Folded text has
# no two spaces in a row.
PAD = "  "

WORD = re.compile(r"[^\W_]+")
# What NFKD does not take apart, written as people type it.
TYPED = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"}
    | {"&": " and "}
    | dict.fromkeys("'’‘`´ʼ")
)
SOFT = re.compile("[aeiouwyh']")
CONSONANTAL = re.compile("[\u0590-\u05ff\u0600-\u06ff\u0750-\u077f]")
TAIL = re.compile(r"(?<=\S)\s+(?:[-–—]\s|[(\[]|(?:feat|ft|featuring)\b\.?\s).*$", re.IGNORECASE)


def folded(text: str) -> str:
    """Return the words of ``text`` in lower case, without accents and punctuation.

    A text without a letter or digit is itself, as ``!!!`` is a band; so only what holds no sign
    at all, or none that can be written, is empty.
    """
    text = text[:LONGEST].casefold()
    if not text.isascii():
        parts = unicodedata.normalize("NFKD", text.encode("utf-8", "ignore").decode())
        text = "".join(sign for sign in parts if not unicodedata.combining(sign)).casefold()
    words = " ".join(WORD.findall(text.translate(TYPED)))
    return (words or "".join(s for s in text if s.isprintable()).strip())[:LONGEST]


def romanised(text: str) -> str:
    """Return folded text in Latin letters; nothing where it is in these already.

    Sign by sign, so a reader of the language may write it otherwise: Кино is kino, 夜 is ye.
    """
    return "" if text.isascii() else " ".join(WORD.findall(anyascii(text).casefold()))[:LONGEST]


def skeleton(text: str) -> str:
    """Return the consonants of folded text in Latin letters, each word's in a row.

    Arabic and Hebrew are written without most vowels, so فيروز and Fairuz meet as frz. Letters
    that stand for a vowel as well as for a consonant are left out with the vowels.
    """
    words = WORD.findall(anyascii(text).casefold())
    return " ".join(SOFT.sub("", word) for word in words)


def vowelless(text: str) -> bool:
    """Return whether a text holds a letter of Arabic or Hebrew."""
    return CONSONANTAL.search(text) is not None


def base(title: str) -> str:
    """Return the title without what follows a bracket, a dash or ``feat.``."""
    return TAIL.sub("", title)


def padded(text: str) -> str:
    """Return folded text as its grams are taken."""
    return f"{PAD}{text}{PAD}"


def grams(text: str) -> list[int]:
    """Return each three signs in a row of ``text`` once, as one number: 21 bits a sign."""
    a = [ord(sign) for sign in text]
    return sorted({x << 42 | y << 21 | z for x, y, z in zip(a, a[1:], a[2:], strict=False)})
