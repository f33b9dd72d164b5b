"""What a form sends, as its fields: no package is needed for forms without files."""

from urllib.parse import parse_qsl

from fastapi import HTTPException
from starlette.datastructures import ImmutableMultiDict
from starlette.requests import Request

FORM_TYPE = "application/x-www-form-urlencoded"
MOST_FIELDS = 11_000


async def read_fields(request: Request) -> ImmutableMultiDict[str, str]:
    """The fields of a form, several of one name included. Raises HTTPException 422 if the request is no form."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM_TYPE:
        raise HTTPException(422, f"Expected a form as `Content-Type: {FORM_TYPE}`.")
    try:
        text = (await request.body()).decode()
        return ImmutableMultiDict(parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError:
        raise HTTPException(422, "Expected the fields of a form in UTF-8. Send the form again.") from None
