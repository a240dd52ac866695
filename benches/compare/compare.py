#!/usr/bin/env python3
"""Runs eart and its peers over the same runs, side by side, and prints one table a corpus.

A CORPUS is a folder whose sub-folders are runs, in name order (corpora.sh makes four). For every tool:

  first    store the first run in a new store                        seconds
  again    store each later run (total)                              seconds
  noop     store the last run once more, unchanged                   seconds
  restore  write the last run to an empty folder, compared after     seconds
  expire   keep only the newest run and give the space back          seconds
  rss      the largest resident set of any of these                  MiB
  size     the store after `again`                                   MB (10^6 bytes)
  kept     the store after `expire`                                  MB

A cell is the median of the repeats, whose order of tools rotates. Machines are noisy: quote ratios within one
table, not seconds. An rss below some 20 MiB is this program's own, from before the tool took over. Tools that
are not installed are left out, and said to be (peers-install.sh gets them). `floor` is no tool but what no tool
can go below: see floor.py. The bottom rows set eart against the best of the deduplicating peers; for `expire`,
of those that end within 10 % of the smallest store.
"""
import argparse
import datetime
import filecmp
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile

from tools import TOOLS, Eart, Floor

TIMES = ["first", "again", "noop", "restore", "expire"]
STEPS = [*TIMES, "rss", "size", "kept"]
UNITS = {**dict.fromkeys(TIMES, "s"), "rss": "MiB", "size": "MB", "kept": "MB"}


def bytes_below(folder):
    return sum(os.lstat(os.path.join(root, name)).st_size for root, _, names in os.walk(folder) for name in names)


def tree(folder):
    """Relative path -> kind and, of a link, its target."""
    found = {}
    for root, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(root, name)
            link = os.path.islink(path)
            found[os.path.relpath(path, folder)] = ("link", os.readlink(path)) if link else ("folder" if name in folders else "file",)
    return found


def check(src, out, empty_folders):
    """The restored tree holds the same files, links and bytes (and empty folders, for tools that keep them)."""
    def kept(found):
        return {p: k for p, k in found.items() if empty_folders or k[0] != "folder"}

    want, got = kept(tree(src)), kept(tree(out))
    if want != got:
        odd = sorted(p for p in want.keys() | got.keys() if want.get(p) != got.get(p))
        raise RuntimeError(f"the restored tree differs in {len(odd)} paths: {odd[:3]}")
    files = [p for p, kind in want.items() if kind == ("file",)]
    _, different, failed = filecmp.cmpfiles(src, out, files, shallow=False)
    if different or failed:
        raise RuntimeError(f"restored bytes differ: {different[:3]} {failed[:3]}")


def warm(runs):
    """Reads every file, so that the first tool finds the input in the page cache as the last one does."""
    for run in runs:
        for root, _, names in os.walk(run):
            for path in (os.path.join(root, name) for name in names):
                if not os.path.islink(path):
                    with open(path, "rb", buffering=0) as file:
                        while file.read(1 << 20):
                            pass


def once(name, runs, options):
    """One tool through all steps on a new store; answers {step: figure}, and bytes written by each add as `new`."""
    home = tempfile.mkdtemp(prefix=f"compare-{name}-", dir=options.tmp)
    try:
        tool, rss, new, before = TOOLS[name](home), [], [], 0

        def step(result):
            if result is None:
                return None
            rss.append(result[1])
            return result[0]

        tool.init()
        adds = []
        for n, src in enumerate(runs):
            adds.append(step(tool.add(src, n)))
            size = bytes_below(tool.store)
            new.append(size - before)
            before = size
        figures = {"first": adds[0], "again": sum(adds[1:]) if runs[1:] else None, "size": before / 1e6, "new": new}
        figures["noop"] = step(tool.noop(runs[-1], len(runs)))
        out = os.path.join(home, "out")
        figures["restore"] = step(tool.restore(out))
        if figures["restore"] is not None:
            if not options.no_check:
                check(runs[-1], out, name != "git")
            shutil.rmtree(out)
        figures["expire"] = step(tool.expire())
        figures["kept"] = bytes_below(tool.store) / 1e6 if figures["expire"] is not None else None
        figures["rss"] = None if name == "floor" else max(rss)
        return figures
    finally:
        shutil.rmtree(home, ignore_errors=True)


def median(samples):
    """Medians of a tool's repeats, step by step."""
    values = {s: [x[s] for x in samples if x[s] is not None] for s in STEPS}
    return {s: statistics.median(v) if v else None for s, v in values.items()}


def measure(corpus, names, options):
    runs = [e.path for e in sorted(os.scandir(corpus), key=lambda e: e.name) if e.is_dir()]
    if not runs:
        sys.exit(f"compare: {corpus} holds no runs: a corpus is a folder of folders")
    samples = {n: [] for n in names}
    Floor.new = []
    warm(runs)
    for k in range(options.repeat):
        turn = k % len(names)
        for name in names[turn:] + names[:turn]:
            if name == "floor" and not Floor.new:
                Floor.new = once("eart", runs, options)["new"]
            try:
                figures = once(name, runs, options)
            except RuntimeError as problem:
                print(f"{name} on {corpus}: {problem}", file=sys.stderr)
                continue
            samples[name].append(figures)
            if name == "eart":
                Floor.new = figures["new"]
    raw = sum(map(bytes_below, runs)) / 1e6
    return {"runs": len(runs), "raw": raw, "tools": {n: median(s) for n, s in samples.items() if s}}


def against(tools, step):
    """eart against the best peer in one step: (peer's name, ratio above 1 where eart is better), or None."""
    peers = {n: f for n, f in tools.items() if n in TOOLS and TOOLS[n].dedup and f[step] is not None}
    if step == "expire" and peers:
        smallest = min(f["kept"] for f in peers.values())
        peers = {n: f for n, f in peers.items() if f["kept"] <= 1.1 * smallest}
    if not peers or "eart" not in tools or not tools["eart"][step]:
        return None
    best = min(peers, key=lambda n: peers[n][step])
    return best, peers[best][step] / tools["eart"][step]


def rows(tools):
    """The table as text cells, header first."""
    def cell(step, value):
        return "–" if value is None else f"{value:.0f}" if step == "rss" else f"{value:.1f}" if UNITS[step] == "MB" else f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"

    table = [["tool", *(f"{s} {UNITS[s]}" for s in STEPS)]]
    table += [[name, *(cell(s, f[s]) for s in STEPS)] for name, f in tools.items()]
    best = [against(tools, s) for s in STEPS]
    if any(best):
        table.append(["best peer", *(b[0] if b else "–" for b in best)])
        table.append(["best peer / eart", *(f"{b[1]:.2f}" if b else "–" for b in best)])
    if "floor" in tools and "eart" in tools:
        pairs = [(tools["eart"][s], tools["floor"][s]) if s in TIMES else (None, None) for s in STEPS]
        table.append(["eart / floor", *(f"{a / b:.2f}" if a and b else "–" for a, b in pairs)])
    return table


def plain(table):
    width = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    return "\n".join("  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, width))) for row in table)


def markdown(table):
    head, *body = table
    lines = ["| " + " | ".join(row) + " |" for row in [head, ["---", *["---:"] * (len(head) - 1)], *body]]
    return "\n".join(lines)


def version(name):
    tool = TOOLS[name]
    answer = subprocess.run([tool.program, tool.version or "--version"], capture_output=True, text=True)
    return (answer.stdout or answer.stderr).split("\n")[0].strip()


def machine(options):
    with open("/proc/cpuinfo") as info:
        cpu = next((line.split(":", 1)[1].strip() for line in info if line.startswith("model name")), platform.machine())
    where = options.tmp or tempfile.gettempdir()
    fs = subprocess.run(["stat", "-f", "-c", "%T", where], capture_output=True, text=True).stdout.strip()
    load = os.getloadavg()[0]
    today = datetime.date.today().isoformat()
    return f"{len(os.sched_getaffinity(0))} cores of {cpu}, {platform.system()} {platform.release()}, {fs}, load {load:.1f} at the start, {today}; median of {options.repeat}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", nargs="+")
    parser.add_argument("--tools", default=",".join(TOOLS), help="names, comma-separated (default: all)")
    parser.add_argument("--eart", default=Eart.program, help="the program to measure (default: $EART_BIN or eart)")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", metavar="FILE", help="write every figure there")
    parser.add_argument("--markdown", metavar="FILE", help="write the tables there, as docs/performance.md has them")
    parser.add_argument("--tmp", metavar="DIR", help="make the stores there: a real disk, not a tmpfs (default: the system's)")
    parser.add_argument("--no-check", action="store_true", help="do not compare what was restored")
    options = parser.parse_args()

    Eart.program = os.path.abspath(options.eart) if os.sep in options.eart else options.eart
    names = options.tools.split(",")
    for name in names:
        if name not in TOOLS:
            parser.error(f"no tool is named '{name}': there are {', '.join(TOOLS)}")
    for name in [n for n in names if not shutil.which(TOOLS[n].program)]:
        print(f"left out: {name} is not installed", file=sys.stderr)
        names.remove(name)
    if "floor" in names and not shutil.which(Eart.program):
        print("left out: floor writes as much as eart does, and there is no eart", file=sys.stderr)
        names.remove("floor")
    if not names:
        sys.exit("compare: none of the tools is installed")

    on, versions = machine(options), {n: version(n) for n in names if n != "floor"}
    print(on, *(f"  {n}: {v}" for n, v in versions.items()), sep="\n")
    results, pages = {}, [f"Measured on {on}.\n\n" + "; ".join(versions.values()) + "."]
    for corpus in options.corpus:
        result = results[corpus] = measure(corpus, names, options)
        title = f"{os.path.basename(os.path.normpath(corpus))}: {result['runs']} runs, {result['raw']:.0f} MB"
        table = rows(result["tools"])
        print(f"\n{title}\n{plain(table)}", flush=True)
        pages.append(f"### {title}\n\n{markdown(table)}")
        # after every corpus: an interrupted comparison keeps what it has
        if options.markdown:
            with open(options.markdown, "w") as out:
                out.write("\n\n".join(pages) + "\n")
        if options.json:
            with open(options.json, "w") as out:
                json.dump({"machine": on, "versions": versions, "corpora": results}, out, indent=1)


if __name__ == "__main__":
    main()
