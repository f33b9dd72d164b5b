"""Names of subjects, clips and datasets as people write them: what is the same name in another spelling."""

import re
import unicodedata


def normalise_name(name: str) -> str:
    """NFC and trimmed: some file systems write accents apart."""
    return unicodedata.normalize("NFC", name).strip()


def spelling_key(name: str) -> str:
    """A name without what sheets and folders differ in: case, accents' writing, zeros before a number."""
    return re.sub(r"(?<!\d)0+(?=\d)", "", normalise_name(name).casefold())


def alphanumeric_key(name: str) -> str:
    """Letters and digits only, lower case: "CASME II" and "casme_ii" are one. CAS(ME)^2 stays apart from CASME2."""
    return re.sub(r"[^0-9a-z]", "", normalise_name(name).casefold().replace("(me)", "-squared-me-"))
