"""Chat templates to be rendered, a JSON object a line: template, variables, now, kind.

usage: template_cases.py SEED COUNT [FOLDER OF TEMPLATES OR A tokenizer_config.json]...

First every template of the folders with every conversation, then COUNT random small templates."""
import json
import os
import random
import sys

NOW = 1700000000

TOOLS = [
    {"type": "function", "function": {
        "name": "get_weather", "description": "The weather \"now\" & here <soon>.",
        "parameters": {"type": "object", "properties": {
            "city": {"type": "string", "description": " the city "},
            "days": {"type": "integer", "description": "how many"},
            "scale": {"type": ["string", "number"], "description": "C or F"}},
            "required": ["city"]},
        "return": {"type": "string", "description": "what the sky says"}}},
    {"type": "function", "function": {
        "name": "naïve_time", "description": "時刻",
        "parameters": {"type": "object", "properties": {}}}}]

CALL = [{"id": "abcdefghi", "type": "function",
         "function": {"name": "get_weather", "arguments": {"city": "Zürich", "days": 3}}}]
CALL_TEXT = [{"id": "abcdefghi", "type": "function",
              "function": {"name": "get_weather", "arguments": "{\"city\": \"Bern\"}"}}]


def user(text):
    return {"role": "user", "content": text}


def assistant(text, **more):
    return dict({"role": "assistant", "content": text}, **more)


CONVERSATIONS = [
    [user("Hello!")],
    [{"role": "system", "content": "  Be brief. "}, user("Hi\n there"), assistant("Yes?"),
     user(" 日本語 'quoted' \"double\" \\ backslash\t")],
    [user("a"), assistant("<think>\nhm\n</think>\n\nb"), user("c")],
    [user("a"), assistant("b")],
    [user("a"), assistant("", tool_calls=CALL),
     {"role": "tool", "content": "22", "name": "get_weather", "tool_call_id": "abcdefghi"},
     assistant("It is 22."), user("Thanks")],
    [user("a"), assistant(None, tool_calls=CALL_TEXT),
     {"role": "tool", "content": "22", "name": "get_weather", "tool_call_id": "abcdefghi"},
     {"role": "tool", "content": "23", "name": "get_weather", "tool_call_id": "abcdefghi"}],
    [user("a"), assistant("b", tool_calls=CALL * 2)],
    [assistant("first")],
    [user("a"), user("b")],
    [{"role": "system", "content": "only"}],
    [{"role": "narrator", "content": "x"}],
    [user("a"), assistant("reasoned", reasoning_content="because"), user("<tool_response>x"),
     assistant("end")],
]


def chats():
    for messages in CONVERSATIONS:
        for tools in (None, TOOLS):
            for prompt in (True, False):
                variables = {"messages": messages, "add_generation_prompt": prompt,
                             "bos_token": "<s>", "eos_token": "</s>"}
                if tools:
                    variables["tools"] = tools
                yield variables
    yield {"messages": CONVERSATIONS[0], "add_generation_prompt": True, "bos_token": "<s>",
           "eos_token": "</s>", "enable_thinking": False, "tools_in_user_message": False,
           "tools": TOOLS, "builtin_tools": ["code_interpreter", "search"],
           "date_string": "1 Jan 2030"}


def templates(path):
    if path.endswith(".json"):
        with open(path, encoding="utf-8") as file:
            yield json.load(file)["chat_template"]
        return
    for name in sorted(os.listdir(path)):
        with open(os.path.join(path, name), encoding="utf-8") as file:
            yield file.read()


VARIABLES = {
    "n": 7, "m": -3, "z": 0, "f": 2.5, "s": "Hello World", "t": "  pad ded\n", "e": "",
    "u": "Grüße 日本 x", "y": True, "no": False, "nil": None,
    "odd": "\u00a0a\u0085b\u200b\u2028\\ 'c' \"d\"\x7f", "lines": "\na\r\n\r\nb\x0b c \u2029d\r",
    "l": [3, 1, 2], "w": ["b", "A", "c", "a"], "el": [],
    "d": {"b": 1, "a": "two", "C": [1, 2]},
    "r": [{"k": "x", "v": 1}, {"k": "y", "v": 2, "o": None}, {"k": "x", "v": 3}],
}


class Random:
    """A grammar of templates that mostly mean something."""

    def __init__(self, dice):
        self.dice = dice

    def pick(self, *choices):
        choice = self.dice.choice(choices)
        return choice() if callable(choice) else choice

    def literal(self):
        """A number as somebody may write it, good or not."""
        letters = self.pick("0123456789", "0123456789", "01", "01234567", "0123456789abcdefABCDEF")
        text = "".join(self.dice.choice(letters) for _ in range(self.dice.randint(1, 6)))
        text = self.pick("", "", "0b", "0B", "0o", "0x", "0X") + text
        return self.pick(text, text, text[:-2] + "_" + text[-2:], text + ".5", text + "e2")

    def number(self, depth=2):
        if depth <= 0:
            return self.pick("n", "m", "z", "2", "10", "l|length", "s|length", "f")
        a = lambda: self.number(depth - 1)
        return self.pick("n", "m", "3", "l[0]", "d.b", "l|sum", "w|length", "1.5", "f", "'12'|int",
                         lambda: f"({self.literal()})",
                         lambda: f"({a()} + {a()})", lambda: f"({a()} - {a()})",
                         lambda: f"({a()} * {a()})", lambda: f"({a()} // 2)",
                         lambda: f"({a()} % 5)", lambda: f"({a()} / 4)", lambda: f"({a()})|abs",
                         lambda: f"-{a()}", lambda: f"({a()})|int", lambda: f"({a()})|float",
                         lambda: f"({a()} if {self.truth(depth - 1)} else {a()})",
                         lambda: f"({a()})|round({self.dice.randint(-2, 4)})",
                         lambda: f"({a()})|round(1, '{self.pick('common', 'ceil', 'floor')}')",
                         "l|max", "l|min", "s.find('o')", "w.index('c')", "u|length", "n ** 2")

    def text(self, depth=2):
        if depth <= 0:
            return self.pick("s", "t", "e", "u", "'lit'", "\"q'\"", "'a\\nb'", "d.a", "w[1]")
        a = lambda: self.text(depth - 1)
        return self.pick(
            "s", "t", "u", "'x' 'y'", lambda: f"({a()} + {a()})",
            lambda: f"({a()} ~ {self.number(depth - 1)})", lambda: f"({a()})|upper",
            lambda: f"({a()})|lower", lambda: f"({a()})|trim", lambda: f"({a()})|capitalize",
            lambda: f"({a()})|title", lambda: f"({a()})|replace('l', 'L')",
            lambda: f"({a()}).strip()", lambda: f"({a()}).upper()", lambda: f"({a()}).title()",
            lambda: f"({a()}).replace('o', '0')", lambda: f"({a()}).lstrip(' H')",
            lambda: f"({a()}).rstrip('d\\n')", lambda: f"({a()})[1:]", lambda: f"({a()})[:-1]",
            lambda: f"({a()})[::-1]", lambda: f"({a()} * 2)", lambda: f"({self.items(depth - 1)})|join('-')",
            lambda: f"({self.any(depth - 1)})|string", lambda: f"({self.any(depth - 1)})|tojson",
            lambda: f"({a()})|first", lambda: f"({a()})|last", lambda: f"({a()})|indent(2)",
            lambda: f"({self.pick(a, 'odd', 'lines')})|indent(3, {self.pick('true', 'false')},"
                    f" {self.pick('true', 'false')})",
            lambda: f"({a()}).removesuffix('ld')", lambda: f"[{self.pick(a, 'odd', 'lines')}]|string",
            lambda: f"({a()})|default('dd')", lambda: f"missing|default({a()})",
            lambda: f"({a()} if {self.truth(depth - 1)} else {a()})",
            lambda: f"({a()}).split('l')|join('|')", lambda: f"({a()})|reverse",
            lambda: f"d.get('a', {a()})", lambda: f"d.get('zz', {a()})", "r[1].k", "r[0]['k']",
            lambda: f"({self.any(depth - 1)})|tojson(indent=2)", lambda: f"'%'.join(w)",
            lambda: f"({a()}).removeprefix('He')", "d['a']", "r[-1].k")

    def items(self, depth=2):
        if depth <= 0:
            return self.pick("l", "w", "el", "[1, 'a', none]", "(1, 2)", "s.split()", "range(3)|list")
        a = lambda: self.items(depth - 1)
        return self.pick(
            "l", "w", "r|map(attribute='k')|list", "w|map('upper')|list", "w|sort", "l|sort",
            "w|sort(case_sensitive=true)", "l|sort(reverse=true)", "w|reverse|list", "d|list",
            "d.keys()|list", "d.values()|list", "d.items()|list", "d|items|list", "d|dictsort",
            "d|dictsort(reverse=true)",
            "r|selectattr('k', 'equalto', 'x')|list", "r|rejectattr('k', 'eq', 'x')|list",
            "l|select('odd')|list", "l|reject('odd')|list", "l|select('>', 1)|list",
            "r|selectattr('o', 'defined')|list", "r|map(attribute='o', default='-')|list",
            "r|sort(attribute='v', reverse=true)", "w|unique|list", "(w + w)|unique|list",
            "r|selectattr('o')|list", lambda: f"(({a()})|list + [1])", lambda: f"(({a()})|list)[1:]",
            lambda: f"(({a()})|list)[::-1]", lambda: f"(({a()})|list)[:2]", lambda: f"({a()})|list",
            lambda: f"[{self.any(depth - 1)}, {self.any(depth - 1)}]", "range(1, 8, 3)|list",
            lambda: f"({self.text(depth - 1)}).split(' ')", lambda: f"({self.text(depth - 1)})|list",
            "s.split('o', 1)", "s.rsplit('o', 1)", "t.splitlines()", "u.split()", "t.rsplit()",
            lambda: f"({self.pick('s', 't', 'odd', 'lines')}).splitlines({self.pick('', 'true')})",
            lambda: f"({self.pick('s', 't', 'odd', 'lines')}).{self.pick('split', 'rsplit')}(none, 1)")

    def truth(self, depth=2):
        if depth <= 0:
            return self.pick("y", "no", "nil", "l", "el", "e", "missing", "n", "z", "true", "False")
        a = lambda: self.truth(depth - 1)
        return self.pick(
            "y", lambda: f"({a()} and {a()})", lambda: f"({a()} or {a()})", lambda: f"(not {a()})",
            lambda: f"({self.number(depth - 1)} < {self.number(depth - 1)})",
            lambda: f"({self.number(depth - 1)} == {self.number(depth - 1)})",
            lambda: f"(1 < {self.number(depth - 1)} <= 9)",
            lambda: f"({self.text(depth - 1)} == {self.text(depth - 1)})",
            lambda: f"({self.text(depth - 1)} < {self.text(depth - 1)})",
            lambda: f"('l' in {self.text(depth - 1)})", lambda: f"(1 not in {self.items(depth - 1)})",
            "'b' in d", "missing is defined", "n is not none", "nil is none", "l is iterable",
            "d is mapping", "s is string", "n is number", "f is float", "n is odd", "n is even",
            "n is divisibleby 7", "n is divisibleby(2)", "y is true", "no is false", "y is boolean",
            "w is sequence", "s is sequence", "n is integer", "missing is undefined", "n is eq 7",
            "not n is none", "n is gt 3", "'x' is in 'xyz'", "s.startswith('He')", "s.endswith('x')",
            "'abc' is lower", "'ABC' is upper", "(1, 2) == (1, 2)", "[1] == [1]",
            lambda: f"({self.any(depth - 1)} == {self.any(depth - 1)})", "1 == 1.0", "true == 1")

    def any(self, depth=2):
        return self.pick(lambda: self.number(depth), lambda: self.text(depth),
                         lambda: self.items(depth), lambda: self.truth(depth), "d", "r", "nil",
                         "{'k': n, 1: [none, true]}")

    def space(self):
        return self.pick("", "", " ", "\n", "  \n", "\n  ", "x", " y\n")

    def tag(self, inside):
        return "{%" + self.pick("", "-", "", "+") + " " + inside + " " + self.pick("", "-", "") + "%}"

    def shown(self, inside):
        return "{{" + self.pick("", "-", "") + " " + inside + " " + self.pick("", "-", "") + "}}"

    def statement(self, depth):
        body = lambda: self.body(depth - 1)
        t, one = self.tag, self.dice.randint(0, 9) if depth > 0 else 0
        if one <= 2:
            return self.shown(self.any(2))
        if one == 3:
            return self.shown(f"{self.text(1)} if {self.truth()}")
        if one == 4:
            return (t(f"if {self.truth()}") + body() +
                    self.pick("", lambda: t(f"elif {self.truth()}") + body()) +
                    self.pick("", lambda: t("else") + body()) + t("endif"))
        if one == 5:
            inner = self.pick("{{ i }}", "{{ loop.index }}:{{ i }},", "{{ loop.last }}{{ i|tojson }}",
                              "{% if loop.first %}[{% endif %}{{ i }}",
                              "{% if i == 1 %}{% continue %}{% endif %}{{ i }}",
                              "{% if loop.index > 2 %}{% break %}{% endif %}{{ i }}",
                              "{{ loop.previtem is defined }}{{ loop.nextitem|default('-') }}",
                              "{{ loop.revindex }}{{ loop.length }}{{ loop.cycle('a', 'b') }}",
                              "{{ loop.depth }}{{ loop.depth0 }}{{ loop.revindex0 }}")
            return (t(f"for i in {self.items()}" + self.pick("", " if i != 3")) + inner + body() +
                    self.pick("", lambda: t("else") + "none" + body()) + t("endfor"))
        if one == 6:
            return (t(f"set v = {self.any()}") + self.shown("v") +
                    self.pick("", t("set v") + "cap" + t("endset") + "{{ v|upper }}"))
        if one == 7:
            return (t("set ns = namespace(c=0)") + t(f"for i in {self.items()}") +
                    "{% set ns.c = ns.c + 1 %}" + t("endfor") + "{{ ns.c }}")
        if one == 8:
            return (t("macro mm(a, b='B')") + "<{{ a }}{{ b }}" + body() + ">" + t("endmacro") +
                    self.shown(self.pick(lambda: f"mm({self.any(1)})", lambda: f"mm(1, b={self.any(1)})",
                                         "mm('q')|length > 3")))
        return self.pick(lambda: t("filter upper") + body() + t("endfilter"),
                         lambda: "{#" + self.pick("", "-") + " note " + self.pick("", "-") + "#}",
                         lambda: t("raw") + " {{ x }} {% y %} " + t("endraw"),
                         lambda: t("for k, v in d.items()") + "{{ k }}={{ v }};" + t("endfor"),
                         lambda: t("with q = 5") + "{{ q }}" + t("endwith"),
                         lambda: t("macro ww()") + "({{ caller() }})" + t("endmacro") +
                         t("call ww()") + "in" + t("endcall"))

    def body(self, depth):
        return "".join(self.space() + self.statement(depth) + self.space()
                       for _ in range(self.dice.randint(1, 3)))


def main():
    seed, count = int(sys.argv[1]), int(sys.argv[2])
    for path in sys.argv[3:]:
        for template in templates(path):
            for variables in chats():
                print(json.dumps({"kind": "real", "template": template, "variables": variables,
                                  "now": NOW}))
    grammar = Random(random.Random(seed))
    for _ in range(count):
        print(json.dumps({"kind": "random", "template": grammar.body(2), "variables": VARIABLES,
                          "now": NOW}))


main()
