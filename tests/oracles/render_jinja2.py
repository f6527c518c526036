"""Renders the lines of template_cases.py with Jinja 3, set up as Hugging Face's transformers does it:
immutable sandbox, trim_blocks, lstrip_blocks, loop controls, tojson as json.dumps."""
import datetime
import functools
import json
import sys

import jinja2
import jinja2.ext
import jinja2.sandbox


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators,
                      sort_keys=sort_keys)


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


# Real templates come with many conversations each: one is compiled once.
@functools.lru_cache(maxsize=4)
def compiled(template, seconds):
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols])
    now = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = now.strftime
    return environment.from_string(template)


def render(request):
    try:
        text = compiled(request["template"], request["now"]).render(**request["variables"])
    except Exception as mistake:  # whatever it is, the template does not render
        return {"error": repr(mistake)}
    return {"text": text}


for line in sys.stdin:
    print(json.dumps(render(json.loads(line))))
