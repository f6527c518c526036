"""Compares renderings line by line: CASES OURS THEIRS KIND STRICT.  Where one has an error the other
must have one too; if not STRICT, what the other cannot render is only counted.  Prints the
first differences and fails if there are any."""
import json
import sys


def read(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def main():
    cases, ours, theirs = (read(path) for path in sys.argv[1:4])
    kind, strict = sys.argv[4], sys.argv[5] == "strict"
    checked, both, given_up, wrong = 0, 0, 0, []
    assert len(cases) == len(ours) == len(theirs), (len(cases), len(ours), len(theirs))
    for case, our, their in zip(cases, ours, theirs):
        if kind not in (case["kind"], "all"):
            continue
        checked += 1
        both += "error" in our
        if not strict and "error" in their and "error" not in our:
            given_up += 1
        elif our.get("text") != their.get("text"):
            wrong.append((case, our, their))
    for case, our, their in wrong[:10]:
        print("template:", json.dumps(case["template"], ensure_ascii=False)[-600:])
        print("  ours:  ", json.dumps(our, ensure_ascii=False)[-400:])
        print("  theirs:", json.dumps(their, ensure_ascii=False)[-400:])
    print(f"{checked} cases ({both} are errors), {len(wrong)} differ" +
          (f", {given_up} only we can render" if given_up else ""))
    sys.exit(1 if wrong or not checked else 0)


main()
