# SPDX-License-Identifier: Apache-2.0
#
# count.py BUILD TABLE [--check]: the static count of each kernel's hot loop, as a table in Markdown.
# Finds the loops in the disassembly of the built objects, so that it counts what the compiler made of
# a template. run.sh builds the objects and says what the options mean.
import pathlib
import re
import subprocess
import sys
from itertools import combinations

MACHINES = [  # instruction set, objects, triple, llvm-mca's names of CPUs
    ("avx2", "x86", "x86_64", ["znver4", "sapphirerapids"]),
    ("avx512", "x86", "x86_64", ["znver4", "sapphirerapids"]),
    ("neon", "aarch64", "aarch64", ["neoverse-v2"]),
]
ITERATIONS = 400
LIMIT = 1.10

DIVIDE = re.compile(r"^(v?divp|fdiv|vrcp|frecpe)")
MULTIPLY = re.compile(r"^(vf|vmulp|fm[ul])")
FLOAT = re.compile(r"^(v(add|sub|max|min|cmp|cvt|rnd|round)|f)")
VECTOR = re.compile(r"%[xyz]mm|\b[vqds]\d+\b")
MOVE = re.compile(r"^(vmov|mov$)")
STACK = re.compile(r"\(%r[sb]p\b|\[(sp|x29)\b")
CONSTANT = re.compile(r"\(%rip\)")
LEAVES = re.compile(r"^(call|ret|bl\b|blr\b)")
VECTOR_PORT = re.compile(r"Zn4FP[0-3]$|SPRPort0[015]$|V2UnitV[0-3]$")
BRANCH = re.compile(r"^(j|b\.|cbn?z|tbn?z|b$)")


def run(*command, text=None):
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr}{text or ''}")
    return done.stdout


def functions(path):
    """The functions of an object: name and list of (address, instruction)."""
    listing = run("llvm-objdump-19", "-d", "--no-show-raw-insn", "--no-print-imm-hex", str(path))
    name, body = None, []
    for line in listing.splitlines():
        start = re.match(r"^[0-9a-f]+ <(.*)>:$", line)
        code = re.match(r"^\s*([0-9a-f]+):\s+(.*?)(\s+(# |//).*)?$", line)
        if start:
            if name:
                yield name, body
            name, body = start.group(1), []
        elif code and name:
            body.append((int(code.group(1), 16), code.group(2).strip()))
    if name:
        yield name, body


def innermost_loops(body):
    """From each backward branch's target to the branch, where no other such loop lies inside."""
    loops = []
    for at, text in body:
        target = re.search(r"\b(0x[0-9a-f]+) <", text)
        if BRANCH.match(text) and target and int(target.group(1), 16) <= at:
            loops.append((int(target.group(1), 16), at))
    for first, last in loops:
        inside = [text for at, text in body if first <= at <= last]
        if not any((a, b) != (first, last) and first <= a and b <= last for a, b in loops) and \
                not any(LEAVES.match(text) for text in inside):
            yield inside


def weight(loop):
    """How much arithmetic a loop does, or else how much it moves; of equals the shortest comes first."""
    points = sum(4 if DIVIDE.match(text) else 2 if MULTIPLY.match(text) else 1 if FLOAT.match(text) else 0
                 for text in loop)
    return points, sum(1 for text in loop if not points and VECTOR.search(text)), -len(loop)


def hot_loop(body):
    """The loop with the most work; one without branches where it has at least an eighth of that (what runs
    once a tile may be unrolled into more than one turn of the loop over terms)."""
    loops = list(innermost_loops(body))
    straight = [loop for loop in loops if sum(1 for text in loop if BRANCH.match(text)) == 1]
    most, best = (max(some, key=weight, default=None) for some in (loops, straight))
    return best if best and 8 * weight(best)[0] >= weight(most)[0] else most


def readable(loop, cpu):
    """The loop as llvm-mca takes it, without two peculiarities of LLVM 19's models. On Zen 4 a broadcast
    from memory to a zmm register has the ports of a shuffle; to a ymm register it rightly has none: the
    load unit does both. On Arm an address that a store advances waits for the data stored; cores do the
    addition apart."""
    body = []
    for text in loop:
        text = re.sub(r"\s*<[^>]*>", "", text)
        advance = re.match(r"(st.*\[(x\d+)\]), (#-?\d+)$", text)
        if cpu == "znver4":
            text = re.sub(r"^vbroadcastss\s+(\S*\(.*\), %zmm)", r"vmovups \1", text)
        if advance:
            body += [advance[1], f"add {advance[2]}, {advance[2]}, {advance[3]}"]
        elif not BRANCH.match(text):
            body.append(text)
    return body


def essential(loop):
    """What the kernel asks for: arithmetic, loads and stores of its operands. Not the loop's own
    counting, moves between registers, spills, or constants that found no register. NEON's fmla overwrites
    its addend, so that there a move is part of a polynomial."""
    kept = []
    for text in loop:
        word = text.split()[0]
        if not VECTOR.search(text) and not word.startswith(("prefetch", "prfm")):
            continue
        lies_near = STACK.search(text) or CONSTANT.search(text)
        if MOVE.match(word) and (lies_near or "%" in text and "(" not in text):
            continue
        if word.startswith("vbroadcast") and lies_near:
            continue
        if lies_near and re.match(r"v(?!cvt|pmov)", word):  # its operand as if it were in a register
            register = re.search(r"%[xyz]mm", text.split(",")[-1] + " " + text).group(0) + "15"
            text = re.sub(r"-?\w*\(%r(sp|bp|ip)[^)]*\)({1to\d+})?", register, text)
        kept.append(text)
    return kept


def mca(loop, triple, cpu, *options):
    return run("llvm-mca-19", "-mtriple=" + triple, "-mcpu=" + cpu, "-instruction-info=0", *options,
               text="\n".join(loop) + "\n")


def number(key, report):
    return float(re.search(key + r":\s+([\d.]+)", report).group(1))


def crowded(loop, triple, cpu):
    """The least cycles by the ports that compute: for every set of them, what can go nowhere else, over
    their number. llvm-mca's own bound takes each resource alone."""
    report = mca(loop, triple, cpu, "-instruction-tables")
    ports = re.findall(r"^\[([\d.]+)\]\s+- (\S+)$", report, re.M)
    used = [[float(field) if field != "-" else 0.0 for field in line.split()[:len(ports)]]
            for line in report.split("by instruction:")[1].splitlines()[2:] if line.strip()]
    computing = [i for i, (_, port) in enumerate(ports) if VECTOR_PORT.match(port)]
    sets = [chosen for n in range(1, len(computing) + 1) for chosen in combinations(computing, n)]
    return max(sum(sum(row[i] for i in computing) for row in used
                   if not any(row[i] for i in computing if i not in chosen)) / len(chosen)
               for chosen in sets)


def count(loop, triple, cpu):
    """uops and cycles of an iteration, and the least that its essential part takes."""
    body = readable(loop, cpu)
    few, many = (mca(body, triple, cpu, "-resource-pressure=0", f"-iterations={n}")
                 for n in (ITERATIONS // 2, ITERATIONS))
    cycles = number("Total Cycles", many) - number("Total Cycles", few)
    needed = essential(body)
    bound = max(number("Block RThroughput", mca(needed, triple, cpu, "-iterations=1")),
                crowded(needed, triple, cpu))
    return int(number("Total uOps", many) / ITERATIONS), cycles / (ITERATIONS - ITERATIONS // 2), bound


def rows(build):
    """A kernel with a function for each number of rows, NAME_of_ROWS, is counted in that of the most."""
    for isa, folder, triple, cpus in MACHINES:
        objects = build / folder / "CMakeFiles" / f"attune_{isa}.dir" / "arch" / isa
        for path in sorted(objects.glob("*.o")):
            found = dict(functions(path))
            for name in [name for name in found if name.startswith("attune_") and "_of_" not in name]:
                most = max((other for other in found if other.startswith(name + "_of_")), default=name)
                loop = hot_loop(found[most])
                if loop:
                    for cpu in cpus:
                        yield (name.removeprefix("attune_"), cpu, *count(loop, triple, cpu))


HEAD = """# The hot loops, counted

Written by `arch/mca/run.sh`; nothing here is measured. For each kernel the innermost loop with the most
arithmetic, as the compiler left it: its uops, the cycles that llvm-mca 19 simulates for one iteration in
a long run, and the bound: the cycles that the loop's essential instructions (arithmetic, loads and
stores of its operands, prefetches) take by the ports and the width of the machine, as LLVM describes it.
Between the two lie spills, moves, counting, and chains that wait. A ratio above {limit:.2f} is marked.

What is hot: score_dot, score_tanh, wsum, tile and lstm run for every pair and term, softmax for every pair;
expand and pack for every term of a row or key, the others for a row, a key or an execution at most. LLVM
knows Sapphire Rapids as its smaller relatives: with one unit for FMA of zmm registers where the server has
two, without the elimination of moves (which is all that 2x4_divide2 has too much), and with divisions of 1
and 2 cycles where it takes 5 and 10: loops that divide once, as finish and fold do, look further from their
bound than they are.

| kernel | machine | uops | cycles | bound | ratio |
|---|---|---:|---:|---:|---:|
"""


def write_table(found):
    text = HEAD.format(limit=LIMIT)
    for name, cpu, uops, cycles, bound in found:
        ratio = cycles / bound
        mark = "**" if ratio > LIMIT else ""
        text += f"| {name} | {cpu} | {uops} | {cycles:.1f} | {bound:.1f} | {mark}{ratio:.2f}{mark} |\n"
    return text


def ratios(text):
    lines = re.findall(r"^\| (\w+) \| ([\w-]+) \|.*?\| \**([\d.]+)\** \|$", text, re.M)
    return {(name, cpu): float(ratio) for name, cpu, ratio in lines}


def main():
    build, table = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    text = write_table(rows(build))
    if "--check" not in sys.argv[3:]:
        table.write_text(text)
        return 0
    before, worse = ratios(table.read_text()), 0
    for key, ratio in ratios(text).items():
        if ratio > before.get(key, LIMIT) * 1.1:
            print(f"{key[0]} on {key[1]}: {ratio:.2f}, the table says {before.get(key, 'nothing')}")
            worse = 1
    return worse


sys.exit(main())
