"""What was filled into the fields of a PDF's form, which is no part of the page's text."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import pypdfium2.raw as pdfium

FIELDS_MAX = 2_000
"""Of a page."""
CHECKED = (pdfium.FPDF_FORMFIELD_CHECKBOX, pdfium.FPDF_FORMFIELD_RADIOBUTTON)
FILLED = (
    pdfium.FPDF_FORMFIELD_TEXTFIELD,
    pdfium.FPDF_FORMFIELD_COMBOBOX,
    pdfium.FPDF_FORMFIELD_LISTBOX,
)


def form_fields(document: Any, page: Any) -> str:
    """Return ``[Form field name: value]`` for each field that is filled in, each on its line."""
    if document.formenv is None:
        return ""
    count = min(pdfium.FPDFPage_GetAnnotCount(page), FIELDS_MAX)
    said = [_field(document.formenv, page, index) for index in range(count)]
    return "".join(f"\n{words}" for words in said if words)


def _field(form: Any, page: Any, index: int) -> str:
    annotation = pdfium.FPDFPage_GetAnnot(page, index)
    if not annotation:
        return ""
    try:
        kind = pdfium.FPDFAnnot_GetFormFieldType(form, annotation)
        if kind in CHECKED:
            value = "checked" if pdfium.FPDFAnnot_IsChecked(form, annotation) else ""
        elif kind in FILLED:
            value = _string(pdfium.FPDFAnnot_GetFormFieldValue, form, annotation)
        else:
            return ""
        name = _string(pdfium.FPDFAnnot_GetFormFieldName, form, annotation)
        return f"[Form field {name}: {value}]" if value else ""
    finally:
        pdfium.FPDFPage_CloseAnnot(annotation)


def _string(get: Callable[..., int], form: Any, annotation: Any) -> str:
    size_bytes = get(form, annotation, None, 0)
    buffer = ctypes.create_string_buffer(size_bytes)
    get(form, annotation, ctypes.cast(buffer, ctypes.POINTER(pdfium.FPDF_WCHAR)), size_bytes)
    return " ".join(buffer.raw.decode("utf-16-le", "replace").replace("\0", " ").split())
