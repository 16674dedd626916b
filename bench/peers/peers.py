# SPDX-License-Identifier: Apache-2.0
"""Times Attune and other engines side by side: same inputs, interleaved rounds, one result file.

Owns the order of the work: which engines, which cases, how long. Each engine lives in a process of
its own (worker.py); one that fails is left out and named, and the others go on.
"""
import argparse
import json
import os
import select
import subprocess
import sys
import tempfile
import time

import numpy as np

import cases
import statistics_of

HERE = os.path.dirname(os.path.abspath(__file__))
# Seconds: of samples an engine and round; for an engine to compile and compute a case once; to start.
BURST, LOAD_LIMIT, START_LIMIT = 0.02, 90, 60
MIN_ROUNDS, MAX_ROUNDS = 5, 25
# A pause before an engine's turn, for the threads that the one before left spinning.
PAUSE = 0.004


def say(text):
    print(text, file=sys.stderr, flush=True)


class Trouble(Exception):
    pass


class Peer:
    """A worker process and its pipe."""

    def __init__(self, title, module, options, threads, cpus, python):
        self.title, self.left_out = title, None
        read, write = os.pipe()
        environment = dict(os.environ, OMP_NUM_THREADS=str(threads), MKL_NUM_THREADS=str(threads),
                           PYTHONDONTWRITEBYTECODE="1")
        self.process = subprocess.Popen(
            [python, os.path.join(HERE, "worker.py"), str(write)], stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=[write], env=environment,
            preexec_fn=lambda: os.sched_setaffinity(0, cpus))
        os.close(write)
        self.answers = os.fdopen(read)
        self.send({"module": module, "options": dict(options, threads=threads)})

    def send(self, request):
        try:
            self.process.stdin.write((json.dumps(request) + "\n").encode())
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # the answer, or its absence, says more

    def receive(self, limit):
        if not select.select([self.answers], [], [], limit)[0]:
            raise Trouble(f"no answer within {limit:.0f} s")
        line = self.answers.readline()
        if not line:
            raise Trouble(f"ended with code {self.process.wait()}")
        answer = json.loads(line)
        if "trouble" in answer:
            raise Trouble(answer["trouble"])
        return answer

    def ask(self, limit, **request):
        self.send(request)
        return self.receive(limit)

    def start(self):
        answer = self.receive(START_LIMIT)
        self.name, self.version, self.setting = (answer[k] for k in ("name", "version", "setting"))

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.answers.close()


def engines(arguments):
    """(title, module, options) of every engine to try; Attune first."""
    listed = [("attune", "engine_attune", {"library": arguments.library}),
              ("pytorch sdpa", "engine_torch", {"way": "sdpa"}),
              ("pytorch flex", "engine_torch", {"way": "flex"}),
              ("pytorch compile", "engine_torch", {"way": "compile"}),
              ("onnxruntime", "engine_onnxruntime", {}), ("openvino", "engine_openvino", {})]
    with open(arguments.natives, encoding="utf-8") as file:
        for native in file.read().splitlines():
            name, _, library = native.partition("=")
            listed.append((name, "engine_native", {"library": library, "name": name}))
    if arguments.quick:
        listed = [engine for engine in listed if engine[0] != "pytorch flex"]  # compiles for long
    return listed


def start_all(arguments, threads):
    """Workers that answered; those that did not are named."""
    cpus = sorted(os.sched_getaffinity(0))[-threads:]
    started = [Peer(title, module, options, threads, cpus, sys.executable)
               for title, module, options in engines(arguments)]
    ready = []
    for peer in started:
        try:
            peer.start()
            ready.append(peer)
        except Trouble as trouble:
            say(f"left out: {peer.title}: {trouble}")
            peer.stop()
            if peer.title == "attune":
                raise
    return ready


def load(peers, case, oracle_file):
    """Peers that compute the case, each with its error over the tolerance; and the others, why."""
    able, unable = [], []
    for peer in list(peers):
        try:
            answer = peer.ask(LOAD_LIMIT, do="load", spec=case.spec, oracle=oracle_file)
            peer.error = answer["error"] / cases.tolerance(case)
            peer.kernels = answer["kernels"]
            able.append(peer)
        except Trouble as trouble:
            text = str(trouble)
            unable.append((peer, text))
            if not text.startswith("NotImplementedError"):
                say(f"  left out: {peer.title}: {text}")
            if peer.process.poll() is not None or text.startswith("no answer"):
                peer.stop()
                peers.remove(peer)
    return able, unable


def measure(peers, able, seconds):
    """Samples by peer, a list a round. The order turns from round to round."""
    rounds = {peer: [] for peer in able}
    end = time.monotonic() + seconds
    count = 0
    while able and count < MAX_ROUNDS and (count < MIN_ROUNDS or time.monotonic() < end):
        for peer in able[count % len(able):] + able[:count % len(able)]:
            time.sleep(PAUSE)
            try:
                rounds[peer].append(peer.ask(LOAD_LIMIT, do="sample", seconds=BURST)["samples"])
            except Trouble as trouble:
                say(f"  left out: {peer.title}: {trouble}")
                able = [p for p in able if p is not peer]
                del rounds[peer]
                peer.stop()
                peers.remove(peer)
        count += 1
    return rounds


def line(template, peer, **fields):
    """A result line: what the problem is comes from Attune's own line of the same case."""
    kept = ("format", "kind", "machine", "case", "family", "spec", "dtype", "kv", "threads",
            "threads_asked", "isa", "isa_asked", "work", "work_unit", "bound_by", "roof", "pairs",
            "arithmetic", "arithmetic_unit", "bytes", "roofs")
    result = {key: template[key] for key in kept if key in template}
    # Where Attune's plans come from is told by its own bench.
    choice = template.get("choice", peer.setting) if peer.name == "attune" else peer.setting
    result.update(engine=peer.name, version=peer.version, choice=choice)
    result.update(fields)
    return result


def timed_line(template, peer, samples):
    fields = statistics_of.summary(samples)
    result = line(template, peer, outcome="ok", error_over_bound=peer.error, **fields)
    if peer.kernels:
        result["kernels"] = peer.kernels
    if template.get("roof"):
        result["share"] = template["work"] / fields["min_s"] / template["roof"]
    return result


def run_case(peers, case, template, seconds, folder):
    arrays = cases.inputs(case)
    rows, out, weight = cases.oracle(case, arrays)
    oracle_file = os.path.join(folder, "oracle.npz")
    np.savez(oracle_file, rows=rows, out=out, weight=weight)
    able, unable = load(peers, case, oracle_file)
    lines = [line(template, peer, outcome="skipped", reason=text) for peer, text in unable]
    for peer in able:
        if peer.error > 1:
            say(f"  WRONG: {peer.title}: the error is {peer.error:.3g} times the tolerance")
            lines.append(line(template, peer, outcome="wrong", error_over_bound=peer.error,
                              reason=f"error {peer.error:.3g} times the tolerance"))
    rounds = measure(peers, [peer for peer in able if peer.error <= 1], seconds)
    timed = [timed_line(template, peer, samples) for peer, samples in rounds.items()]
    for result in sorted(timed, key=lambda result: result["min_s"]):
        say(f"  {result['engine'] + ' ' + result['version']:34s} {1e3 * result['min_s']:10.3f} ms"
            f"  {1e-9 * result['work'] / result['min_s']:8.1f} G{result['work_unit']}/s"
            f"  error {result['error_over_bound']:.2f} of tolerance")
    return timed + lines


def templates(arguments, specs, threads, folder):
    """Attune's own bench: the machine, its roofs, and what each case comes to."""
    path = os.path.join(folder, f"bench-{threads}.jsonl")
    command = [arguments.command, "bench", "-o", path, "--threads", str(threads), "--seconds",
               "0.1" if arguments.quick else "0.3"]
    for spec in specs:
        command += ["--spec", spec]
    cpus = sorted(os.sched_getaffinity(0))[-threads:]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False,
                          preexec_fn=lambda: os.sched_setaffinity(0, cpus))
    if done.returncode:
        raise Trouble(f"attune bench: exit code {done.returncode}")
    with open(path, encoding="utf-8") as file:
        return [json.loads(text) for text in file]


def run_threads(arguments, listed, threads, folder, lines, deadline):
    """Adds all lines of one number of threads, as they come; no case begins after the deadline."""
    seconds = 1.0 if arguments.quick else 4.0
    known = templates(arguments, [spec for _, _, spec in listed], threads, folder)
    card = [entry for entry in known if entry["kind"] in ("machine", "roof")]
    by_spec = {entry["spec"]: entry for entry in known if entry["kind"] == "result"}
    for name, family, spec in listed:
        by_spec[spec].update(case=name, family=family)
    peers = start_all(arguments, threads)
    versions = {peer.name: peer.version for peer in peers}
    for entry in card:
        if entry["kind"] == "machine":
            entry["libraries"] = dict(entry.get("libraries", {}), **versions)
            entry["settings"] = dict(entry.get("settings", {}), command=["bench/peers/run.sh"]
                                     + [word if "/" not in word else os.path.basename(word)
                                        for word in sys.argv[1:]])
    lines += card
    try:
        for name, _, spec in listed:
            if time.monotonic() > deadline:
                say(f"left out, as the time is up (--budget): {name}, {threads} threads")
                continue
            say(f"{name}, {threads} thread{'s' * (threads > 1)}: {spec}")
            template = by_spec[spec]
            new = run_case(peers, cases.parse(spec), template, seconds, folder)
            lines += new
            told = [entry for entry in new if entry["engine"] == "attune" and "min_s" in entry]
            if told and "min_s" in template:
                say(f"  attune bench itself: {1e3 * template['min_s']:.3f} ms, "
                    f"{told[0]['min_s'] / template['min_s']:.2f} of it here")
    finally:
        for peer in peers:
            peer.stop()


def parse_arguments():
    parser = argparse.ArgumentParser(prog="bench/peers/run.sh", description=__doc__.split("\n")[0])
    parser.add_argument("-o", "--output", metavar="FILE", default="peers.jsonl",
                        help="the result file (default %(default)s)")
    parser.add_argument("--quick", action="store_true", help="four cases, about a minute")
    parser.add_argument("--budget", type=float, metavar="SECONDS", default=360,
                        help="no case begins later (default %(default)s)")
    parser.add_argument("--spec", action="append", metavar="SPEC",
                        help="this problem instead of the suite; may be given again")
    parser.add_argument("--threads", default="1,all", metavar="N,...",
                        help="numbers of threads (default %(default)s)")
    for internal in ("--command", "--library", "--natives"):  # run.sh gives them
        parser.add_argument(internal, required=True, help=argparse.SUPPRESS)
    return parser, parser.parse_args()


def thread_counts(parser, text):
    most = len(os.sched_getaffinity(0))
    counts = []
    for word in text.split(","):
        if word != "all" and not (word.isdigit() and 1 <= int(word) <= most):
            parser.error(f"--threads: '{word}' is neither 'all' nor a number from 1 to {most}")
        count = most if word == "all" else int(word)
        if count not in counts:
            counts.append(count)
    return counts


def main():
    parser, arguments = parse_arguments()
    listed = cases.QUICK if arguments.quick else cases.FULL
    if arguments.spec:
        listed = [(spec, "spec", spec) for spec in arguments.spec]
    try:
        for _, _, spec in listed:
            cases.parse(spec)
    except cases.BadSpec as trouble:
        parser.error(f"--spec: {trouble}")
    counts = thread_counts(parser, arguments.threads)
    lines, interrupted, started = [], False, time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        try:
            for i, threads in enumerate(counts):
                run_threads(arguments, listed, threads, folder, lines,
                            started + arguments.budget * (i + 1) / len(counts))
        except Trouble as trouble:
            say(f"run.sh: {trouble}")
            return 4
        except KeyboardInterrupt:
            say("interrupted: what is done is kept")
            interrupted = True
    if not lines:
        return 130
    with open(arguments.output + ".part", "w", encoding="utf-8") as file:
        file.writelines(json.dumps(entry, ensure_ascii=False) + "\n" for entry in lines)
    os.replace(arguments.output + ".part", arguments.output)
    say(f"written: {arguments.output}")
    if interrupted:
        return 130
    return 1 if any(entry.get("outcome") == "wrong" for entry in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
