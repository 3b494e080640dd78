"""Fills cases.json with what Jinja2 itself renders (pip install jinja2).

The environment is the one in which transformers renders chat templates.

    python js-bindings/test/jinja/render.py
"""

import datetime
import json
import pathlib

import jinja2
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

NOW = datetime.datetime(2026, 1, 15, 12, 34, 56)


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def environment():
    made = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
    )
    made.filters["tojson"] = tojson
    made.globals["raise_exception"] = raise_exception
    made.globals["strftime_now"] = NOW.strftime
    return made


def rendered(template, variables):
    try:
        text = environment().from_string(template).render(**variables)
        return {"template": template, "text": text}
    except Exception as error:
        return {"template": template, "error": str(error)}


def main():
    path = pathlib.Path(__file__).with_name("cases.json")
    known = json.loads(path.read_text())
    variables = known["variables"]
    known["jinja2"] = jinja2.__version__
    known["cases"] = [rendered(c["template"], variables) for c in known["cases"]]
    lines = [json.dumps(case, ensure_ascii=False) for case in known.pop("cases")]
    head = json.dumps(known, ensure_ascii=False)[:-1]
    path.write_text(head + ',\n"cases": [\n' + ",\n".join(lines) + "\n]}\n")


if __name__ == "__main__":
    main()
