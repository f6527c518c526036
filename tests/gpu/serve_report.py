"""usage: serve_report.py FACTS.jsonl OUT.json

Puts what tests/gpu/serve.sh measured together: writes OUT.json and prints a short table.  Decoding
is the batch over the median gap between two tokens, which is that of passes that decode alone;
prefill is the prompt over the median time to the first token.
"""
import json
import sys


def ours(row):
    """(test, batch or tokens) -> tokens a second, of one replay."""
    summary = row["summary"]
    if row["name"] == "decode":
        gap = summary["itl_ms"]["p50"]
        return ("decode", row["batch"]), row["batch"] / gap * 1e3 if gap else None
    if row["name"].startswith("prefill"):
        tokens = int(row["name"].split()[1])
        return ("prefill", tokens), tokens / summary["ttft_ms"]["p50"] * 1e3
    return None, None


def rivals(rows):
    """The best of the rival's ways, by test and size."""
    best = {}
    for row in rows:
        if row["test"] in ("decode", "prefill"):
            key = (row["test"], row.get("batch") or row["tokens"])
            if row["tokens_per_second"] > best.get(key, {"tokens_per_second": 0})["tokens_per_second"]:
                best[key] = row
    return best


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        rows = [json.loads(line) for line in file if line.startswith("{")]
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        json.dump(rows, file, indent=1)
        file.write("\n")
    best = rivals(rows)
    for row in rows:
        if row["test"] == "machine":
            print(f"{row['gpu']}, driver {row['driver']}, SM clock {row['clock_mhz']} MHz")
        elif row["test"] in ("logits", "greedy"):
            what = row.get("model", "text of both devices")
            print(f"{row['test']:<8} {what:<22} {'right' if row['ok'] else 'WRONG'}")
    print(f"{'tokens/s':<18} {'dyno':>10} {'transformers':>13}")
    for row in rows:
        if row["test"] != "replay":
            continue
        key, rate = ours(row)
        if rate:
            rival = best.get(key)
            told = f"{rival['tokens_per_second']:13,.0f}" if rival else f"{'-':>13}"
            print(f"{key[0] + ' ' + str(key[1]):<18} {rate:10,.0f} {told}")
        elif key is None:
            summary = row["summary"]
            print(f"{row['name']}: {summary['throughput']['input_tokens_per_s']:,.0f} in, "
                  f"{summary['throughput']['output_tokens_per_s']:,.0f} out, hit rate "
                  f"{summary['kv']['token_hit_rate'] or 0:.0%}, TTFT p50 {summary['ttft_ms']['p50']:.0f} "
                  f"ms, TPOT p50 {summary['tpot_ms']['p50']:.1f} ms")


main()
