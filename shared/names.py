"""Names of subjects, clips and datasets in different spellings: which ones are the same name."""

import re
import unicodedata


def normalise_name(name: str) -> str:
    """The name trimmed and in Unicode form NFC. Some file systems store accents as separate characters."""
    return unicodedata.normalize("NFC", name).strip()


def spelling_key(name: str) -> str:
    """A name without the differences between sheets and folders: case, form of accents, zeros before a number."""
    return re.sub(r"(?<!\d)0+(?=\d)", "", normalise_name(name).casefold())


def alphanumeric_key(name: str) -> str:
    """Letters and digits only, lower case. "CASME II" equals "casme_ii", CAS(ME)^2 differs from CASME2."""
    text = unicodedata.normalize("NFKC", name).casefold().replace("(me)", "-squared-me-")
    return "".join(sign for sign in text if unicodedata.category(sign)[0] in "LMN")
