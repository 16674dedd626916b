# SPDX-License-Identifier: Apache-2.0
"""One engine in a process of its own: computes and times what the coordinator asks for.

Processes of their own keep the engines' thread pools, allocators and crashes apart; only one of
them works at a time. Requests come as lines of JSON on standard input, answers leave on the
descriptor given, since libraries print what they like. Knows no other engine.
"""
import importlib
import json
import os
import sys
import time

import numpy as np

import cases


class Worker:
    def __init__(self, module, options):
        self.engine = importlib.import_module(module).Engine(**options)
        self.run = self.memory = None

    def hello(self, _):
        return {"name": self.engine.name, "version": self.engine.version,
                "setting": self.engine.setting}

    def load(self, request):
        """Prepares a problem, computes it once, and compares with the oracle's file."""
        self.run = None
        case = cases.parse(request["spec"])
        arrays = cases.inputs(case)
        self.run, result = self.engine.prepare(case, arrays)
        self.memory = arrays, result  # engines hold addresses, not references
        self.run()
        with np.load(request["oracle"]) as oracle:
            got = np.asarray(result(), np.float64).reshape(case.b, case.h, case.tq, case.e)
            difference = np.abs(got[:, :, oracle["rows"]] - oracle["out"])
            error = float(np.max(difference / np.maximum(oracle["weight"], 1e-30)))
        return {"error": error if np.isfinite(error) else 1e30,
                "kernels": getattr(self.engine, "kernels", "")}

    def sample(self, request):
        """Seconds of single calls, after one that brings caches and threads back."""
        run, samples = self.run, []
        run()
        end = time.perf_counter() + request["seconds"]
        while True:
            start = time.perf_counter()
            run()
            now = time.perf_counter()
            samples.append(now - start)
            if now >= end:
                return {"samples": samples}


def main():
    answers = os.fdopen(int(sys.argv[1]), "w")
    request = json.loads(sys.stdin.readline())

    def answer(content):
        answers.write(json.dumps(content) + "\n")
        answers.flush()

    try:
        worker = Worker(request["module"], request["options"])
        answer(worker.hello(request))
    except Exception as trouble:  # an engine may fail in any way: it is then left out
        answer({"trouble": f"{type(trouble).__name__}: {trouble}"})
        return
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer(getattr(worker, request["do"])(request))
        except Exception as trouble:
            answer({"trouble": f"{type(trouble).__name__}: {trouble}"})


if __name__ == "__main__":
    main()
