"""A text as a QR code, drawn as SVG."""

import io

import segno
from segno.encoder import DataOverflowError

from visiona.domain.errors import Invalid

MAX_TEXT_BYTES = 1000
"""More makes a code that no telephone reads off a screen."""

QUIET_MODULES = 4
"""The margin that readers need (ISO/IEC 18004)."""


def qr_svg(text: str) -> str:
    """The code as a complete SVG document, black on white whatever the page's colours are.

    Raises:
        Invalid: the text is empty or too long.
    """
    if not text or len(text.encode()) > MAX_TEXT_BYTES:
        raise Invalid(f"text: between 1 and {MAX_TEXT_BYTES} bytes")
    try:
        code = segno.make(text, error="m", boost_error=False, micro=False)
    except DataOverflowError as error:
        raise Invalid("text: too long for a QR code") from error
    drawn = io.BytesIO()
    code.save(
        drawn, kind="svg", border=QUIET_MODULES, dark="#000", light="#fff", xmldecl=False, omitsize=True
    )
    return drawn.getvalue().decode()
