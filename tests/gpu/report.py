"""usage: report.py OURS.jsonl RIVALS.jsonl FACTS.json OUT.json

Puts what was measured together: writes OUT.json and prints a short table.  A share is the floor (bytes
over the measured rate of a copy, or operations over that of a product) over the time; of several rivals the
fastest counts.
"""
import json
import sys


def read(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def main():
    ours, rivals = read(sys.argv[1]), read(sys.argv[2])
    with open(sys.argv[3], encoding="utf-8") as file:
        facts = json.load(file)
    by_name = {row["name"]: row for row in ours}
    copy = by_name["ceiling: copy"]["bytes"] / by_name["ceiling: copy"]["us"]
    product = by_name["ceiling: product"]["operations"] / by_name["ceiling: product"]["us"]
    for row in ours:
        if row["name"].startswith("ceiling"):
            continue
        floor = max(row["bytes"] / copy, row["operations"] / product)
        row["floor_us"] = floor
        row["share"] = floor / row["us"]
        same = [r for r in rivals if (r["name"], r["shape"]) == (row["name"], row["shape"])]
        if same:
            best = min(same, key=lambda r: r["us"])
            row["rival"], row["rival_us"] = best["rival"], best["us"]
    with open(sys.argv[4], "w", encoding="utf-8") as file:
        json.dump({"facts": facts, "copy_bytes_per_s": copy * 1e6,
                   "product_operations_per_s": product * 1e6, "kernels": ours}, file, indent=1)
        file.write("\n")
    print(f"{facts['gpu']}, driver {facts['driver']}, SM clock {facts['clock_mhz']} MHz: "
          f"copy {copy * 1e-6:.2f} TB/s, product {product * 1e-6:.0f} TFLOP/s")
    print(f"{'kernel':<20} {'shape':<42} {'us':>9} {'floor':>9} {'share':>6} {'rival us':>9}")
    for row in ours:
        if "share" in row:
            rival = f"{row['rival_us']:9.1f}" if "rival_us" in row else f"{'-':>9}"
            print(f"{row['name']:<20} {row['shape']:<42} {row['us']:9.1f} {row['floor_us']:9.1f} "
                  f"{row['share']:6.0%} {rival}")


main()
