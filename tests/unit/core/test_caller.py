import pytest

from geminid.core.caller import Caller, Scopes
from geminid.core.errors import PermissionDenied


@pytest.mark.parametrize(
    ("scopes", "verb", "model", "allowed"),
    [
        (Scopes(), "generate", "any", True),
        (Scopes(models=("gemini-3.1-flash-lite",)), "generate", "models/gemini-3.1-flash-lite", True),
        (Scopes(models=("gemini-3.1-flash-lite",)), "generate", "gemini-3.1-flash-lite-preview", False),
        (Scopes(models=("gemini-*",)), "count", "gemini-2.5-pro", True),
        (Scopes(models=("gemini-*",)), "count", "qwen3-4b", False),
        (Scopes(verbs=("files",)), "generate", "any", False),
        (Scopes(verbs=("files", "models")), "models", "", True),
    ],
)
def test_scopes_name_models_and_verbs(scopes, verb, model, allowed):
    caller = Caller(scopes=scopes)
    if allowed:
        caller.require(verb, model)
    else:
        with pytest.raises(PermissionDenied, match="may not be used"):
            caller.require(verb, model)
