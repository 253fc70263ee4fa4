"""The fifteen languages of prompts."""

ENGLISH = "en"

NAMES = {
    "en": "English",
    "zh": "Chinese",
    "ja": "Japanese",
    "ko": "Korean",
    "fr": "French",
    "es": "Spanish",
    "it": "Italian",
    "de": "German",
    "tr": "Turkish",
    "ru": "Russian",
    "pt": "Portuguese",
    "vi": "Vietnamese",
    "id": "Indonesian",
    "th": "Thai",
    "ms": "Malay",
}
"""ISO 639-1 code -> name."""

TRANSLATED = tuple(code for code in NAMES if code != ENGLISH)
