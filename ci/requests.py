"""Checks captured requests: `sdk FILE` against the SDK that is installed, `openapi FILE FOLDER` against descriptions.

Prints a line for each request that was checked: its path, and what against. Each check is first shown to refuse what it must.
"""

import copy
import importlib
import json
import pathlib
import sys

SDK_TYPES = {
    "/api/v1/beta/batch-processing": ("llama_cloud.types.beta.batch_create_params", "BatchCreateParams"),
    "/api/v2/parse": ("llama_cloud.types.parsing_create_params", "ParsingCreateParams"),
    "/api/v2/extract": ("llama_cloud.types.extract_create_params", "ExtractCreateParams"),
}

# What stands where the API wants a uuid, or another type: every check that knows the field must refuse it.
ULID = "01JDZ3N2E8Q4V7X9R0S1T2W3Y4"


def spoilt(body):
    """Copies of a body, each wrong in one typed field."""
    for field, value in (("item_ids", 5), ("file_id", 5), ("file_input", 5)):
        if field in body:
            yield {**body, field: value}
    if "made_up_field" not in body:
        yield {**body, "made_up_field": 1}


def spoilt_ids(body):
    """The same for ids that are typed uuid, which only the API's description says."""
    config = body.get("job_config", {})
    for field in ("correlation_id", "id", "project_id"):
        if field in config:
            wrong = copy.deepcopy(body)
            wrong["job_config"][field] = ULID
            yield wrong


def refuses(check, body):
    try:
        check(body)
    except Exception:
        return True
    return False


def exhaust(value):
    """The SDK types lists as iterables, which are checked while they are read."""
    if isinstance(value, dict):
        for one in value.values():
            exhaust(one)
    elif not isinstance(value, (str, bytes)) and hasattr(value, "__iter__"):
        for one in value:
            exhaust(one)


def sdk_check(path):
    """The check of a path's requests by the SDK's own type; none if it has no such call."""
    import pydantic
    from typing_extensions import is_typeddict

    module_name, type_name = SDK_TYPES[path]
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError:
        return None
    for name in dir(module):
        if is_typeddict(getattr(module, name)):
            getattr(module, name).__pydantic_config__ = pydantic.ConfigDict(extra="forbid")
    adapter = pydantic.TypeAdapter(getattr(module, type_name))
    return lambda body: exhaust(adapter.validate_python(body, strict=False))


def openapi_check(path, folder):
    """The check of a path's requests by the first description that has it; none if there is none."""
    import jsonschema
    import yaml

    for file in sorted(pathlib.Path(folder).glob("*.y*ml")):
        document = yaml.safe_load(file.read_text())
        call = document["paths"].get(path, {}).get("post")
        if call is None:
            continue

        def valid(schema, value):
            whole = {**schema, "components": document["components"]}
            formats = jsonschema.FormatChecker()
            jsonschema.Draft202012Validator(whole, format_checker=formats).validate(value)

        def check(body):
            valid(call["requestBody"]["content"]["application/json"]["schema"], body)
            # A classify job would pass for a parse record, of which nothing is required.
            if "rules" in body.get("job_config", {}):
                valid({"$ref": "#/components/schemas/ClassifyJob"}, body["job_config"])

        return check
    return None


def main(kind, file, folder=None):
    if kind == "sdk":
        from llama_cloud import __version__

        against = f"llama-cloud {__version__}"
    else:
        against = "the API's description"
    for request in json.loads(pathlib.Path(file).read_text()):
        path, body = request["path"], request["body"]
        check = sdk_check(path) if kind == "sdk" else openapi_check(path, folder)
        if check is None:
            print(f"({path} is not in {against})")
            continue
        check(body)
        # A description lets through what it does not know; the SDK has no uuids.
        wrong = list(spoilt(body)) if kind == "sdk" else list(spoilt_ids(body))
        assert wrong, f"nothing of {path} would show that {against} checks it"
        for one in wrong:
            assert refuses(check, one), f"{against} takes {one}"
        print(f"{path} as {against} has it")


main(*sys.argv[1:])
