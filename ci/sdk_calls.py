"""Makes every call of the installed SDK at a simulated service: `URL KEY`. Fails where the service does not know a call.

Arguments are made up from the methods' signatures, so answers may be refusals (404 for an id, 403, 409, 422): what may not be is an
answer that says the address or its method is not known, an answer that the SDK cannot read, or a 5xx.
"""

import inspect
import sys
import typing

import llama_cloud
from llama_cloud import APIStatusError, LlamaCloud
from llama_cloud._resource import SyncAPIResource

NOT_KNOWN = ("Not Found", "Method Not Allowed")
AN_ID = "6e0a4b52-6a57-4c1f-9d1c-0f4f7a3c2b10"
# What these wait for is made of calls that are made anyway.
HELPERS = ("parse", "run", "wait")


def resources(owner, path=""):
    for name in dir(type(owner)):
        if name.startswith(("_", "with_")):
            continue
        value = getattr(owner, name, None)
        if isinstance(value, SyncAPIResource):
            yield f"{path}{name}", value
            yield from resources(value, f"{path}{name}.")


def made_up(annotation):
    """A value for a parameter of this type."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return arguments[0]
    if origin is typing.Annotated:
        return made_up(arguments[0])
    if origin is typing.Union or type(annotation).__name__ == "UnionType":
        return made_up(arguments[0])
    if typing.is_typeddict(annotation):
        hints = typing.get_type_hints(annotation, include_extras=False)
        return {name: made_up(hints[name]) for name in annotation.__required_keys__}
    named = str(annotation)
    if "FileTypes" in named or "bytes" in named or "IO" in named:
        return ("a.txt", b"text")
    if annotation is int:
        return 0
    if annotation is bool:
        return True
    if "Sequence" in named or "Iterable" in named or "List" in named or "list" in named:
        return [made_up(arguments[0])] if arguments else [AN_ID]
    if "Dict" in named or "Mapping" in named or "dict" in named or annotation is object:
        return {}
    return AN_ID


def arguments(method):
    hints = typing.get_type_hints(inspect.unwrap(method))
    for name, parameter in inspect.signature(method).parameters.items():
        if parameter.default is parameter.empty and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            yield name, made_up(hints.get(name, str))


def is_alias(method):
    """Whether it only hands its arguments on to another method."""
    kinds = {parameter.kind for parameter in inspect.signature(method).parameters.values()}
    return kinds == {inspect.Parameter.VAR_KEYWORD}


def outcome(method):
    try:
        answer = method(**dict(arguments(method)))
        if hasattr(answer, "iter_pages"):
            list(answer)
        return "answered", True
    except APIStatusError as error:
        detail = error.body.get("detail") if isinstance(error.body, dict) else error.body
        known = error.status_code < 500 and detail not in NOT_KNOWN
        return f"{error.status_code} {detail}", known


def main(url, key):
    client = LlamaCloud(base_url=url, api_key=key, max_retries=0, _strict_response_validation=True)
    calls, unknown = 0, []
    for path, resource in resources(client):
        for name, method in inspect.getmembers(resource, inspect.ismethod):
            if name.startswith(("_", "with_")) or name.startswith(HELPERS) or is_alias(method):
                continue
            calls += 1
            said, known = outcome(method)
            if not known:
                unknown.append(f"{path}.{name}: {said}")
            if "-v" in sys.argv:
                print(f"{path}.{name}: {said}")
    print(f"{calls} calls of llama-cloud {llama_cloud.__version__}, {len(unknown)} not known to the simulated service")
    if unknown:
        sys.exit("\n".join(unknown))


main(*sys.argv[1:3])
