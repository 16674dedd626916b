# SPDX-License-Identifier: Apache-2.0
"""The problems that peers and Attune compute: their inputs, and what float64 says they come to.

Owns the notation (a subset of `attune bench --spec`), the reproducible inputs and the oracle.
Knows no engine.
"""
import dataclasses

import numpy as np

SEED = 20261126
# Rows of every head that the oracle computes: the first, the last and some between.
ORACLE_ROWS = 96

# What people run: case and family as in bench/suite.def where they stand there, and the problem. Long
# ones last: a run that is cut short keeps the rest.
FULL = [
    ("prefill/d64/t128", "prefill", "self:dot,h=32,t=128,d=64"),
    ("prefill/d64/t1024", "prefill", "self:dot,h=8,t=1024,d=64"),
    ("prefill/d128/t1024", "prefill", "self:dot,h=4,t=1024,d=128"),
    ("causal/d64/t1024", "causal", "self:dot,h=8,t=1024,d=64,causal=top_left"),
    ("decode/f32/t4096", "decode", "self:dot,h=32,g=8,tq=1,tk=4096,d=128"),
    ("decode/all-bf16/t4096", "decode", "self:dot,h=32,g=8,tq=1,tk=4096,d=128,dtype=bf16"),
    ("additive/e32/t128", "additive", "additive,b=4,t=128,a=256,e=32"),
    ("window/w128/t2048", "window", "self:dot,h=4,t=2048,d=64,causal=top_left,window_left=127"),
    ("prefill/d64/t4096", "prefill", "self:dot,h=2,t=4096,d=64"),
]
QUICK = [FULL[0], FULL[3], FULL[4], FULL[6]]

NUMBERS = {"b": 1, "h": 1, "g": None, "t": None, "tq": None, "tk": None, "d": None, "e": None,
           "a": None, "window_left": -1, "window_right": -1}
WORDS = {"causal": ("none", "top_left"), "dtype": ("f32", "bf16")}


class BadSpec(ValueError):
    pass


@dataclasses.dataclass(frozen=True)
class Case:
    spec: str
    mechanism: str  # "self" (dot) or "additive"
    b: int
    h: int
    g: int
    tq: int
    tk: int
    d: int  # of queries and keys; of additive: the width of the score space
    e: int
    causal: bool
    window_left: int
    window_right: int
    dtype: str

    @property
    def masked(self):
        return self.causal or self.window_left >= 0 or self.window_right >= 0

    def allowed(self, rows=None):
        """[rows, Tk] bool: which keys a row may attend."""
        i = np.arange(self.tq)[:, None] if rows is None else np.asarray(rows)[:, None]
        j = np.arange(self.tk)[None, :]
        may = np.ones((i.shape[0], self.tk), bool)
        if self.causal:
            may &= j <= i
        if self.window_left >= 0:
            may &= j >= i - self.window_left
        if self.window_right >= 0:
            may &= j <= i + self.window_right
        return may


def parse(spec):
    head, *pairs = spec.split(",")
    mechanism = head.split(":")[0]
    if head not in ("self", "self:dot", "additive"):
        raise BadSpec(f"{head}: the peers know self:dot and additive")
    given = dict(NUMBERS, causal="none", dtype="f32")
    for pair in pairs:
        key, _, value = pair.partition("=")
        if key in WORDS and value in WORDS[key]:
            given[key] = value
        elif key in NUMBERS and value.lstrip("-").isdigit():
            given[key] = int(value)
        else:
            raise BadSpec(f"{pair}: no key and value that the peers know")
    return build(spec, mechanism, given)


def build(spec, mechanism, given):
    def first(*names):
        values = [given[name] for name in names if given[name] is not None]
        if not values or values[0] < 1:
            raise BadSpec(f"{spec}: {names[0]} must be at least 1")
        return values[0]

    width = first("d") if mechanism == "self" else first("a")
    case = Case(spec=spec, mechanism=mechanism, b=first("b"), h=first("h"), g=first("g", "h"),
                tq=first("tq", "t"), tk=first("tk", "t"), d=width,
                e=first("e", "d" if mechanism == "self" else "a"),
                causal=given["causal"] == "top_left", window_left=given["window_left"],
                window_right=given["window_right"], dtype=given["dtype"])
    if case.h % case.g:
        raise BadSpec(f"{spec}: h must be a multiple of g")
    if mechanism == "additive" and (case.h > 1 or case.masked or case.dtype != "f32"):
        raise BadSpec(f"{spec}: additive has one head, no mask and float32 here")
    return case


def to_bf16(values):
    """float32 to bfloat16 bits, to nearest even."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)


def from_bf16(bits):
    return (bits.astype(np.uint32) << 16).view(np.float32)


def inputs(case):
    """Arrays by the names of the problem file; bfloat16 as its bits in uint16."""
    rng = np.random.default_rng(SEED)

    def normal(*shape):
        values = rng.standard_normal(shape, np.float32)
        return to_bf16(values) if case.dtype == "bf16" else values

    if case.mechanism == "additive":
        return {"query": normal(case.b, case.tq, case.d), "key": normal(case.b, case.tk, case.d),
                "value": normal(case.b, case.tk, case.e), "score_vector": normal(case.d)}
    return {"q": normal(case.b, case.h, case.tq, case.d),
            "k": normal(case.b, case.g, case.tk, case.d),
            "v": normal(case.b, case.g, case.tk, case.e)}


def oracle_rows(case):
    return np.unique(np.linspace(0, case.tq - 1, min(case.tq, ORACLE_ROWS)).astype(int))


def oracle(case, arrays):
    """(rows, out, weight): out[B, H, rows, E] in float64, and sum_j p_j |v_j|, which errors are
    measured in."""
    wide = {name: (from_bf16(a) if a.dtype == np.uint16 else a).astype(np.float64)
            for name, a in arrays.items()}
    rows = oracle_rows(case)
    out = np.empty((case.b, case.h, len(rows), case.e))
    weight = np.empty_like(out)
    may = case.allowed(rows)
    for b in range(case.b):
        for h in range(case.h):
            if case.mechanism == "additive":
                score = np.stack([np.tanh(wide["query"][b, i] + wide["key"][b])
                                  @ wide["score_vector"] for i in rows])
                value = wide["value"][b]
            else:
                g = h * case.g // case.h
                score = wide["q"][b, h, rows] @ wide["k"][b, g].T / np.sqrt(case.d)
                value = wide["v"][b, g]
            score = np.where(may, score, -np.inf)
            p = np.exp(score - score.max(axis=1, keepdims=True))
            p /= p.sum(axis=1, keepdims=True)
            out[b, h] = p @ value
            weight[b, h] = p @ np.abs(value)
    return rows, out, weight


def tolerance(case):
    """Of max |out - oracle| / sum_j p_j |v_j|. A key too many or too few shows in float32 up to
    50,000 keys; engines that round weights to bfloat16 stay below the other."""
    return 2e-5 if case.dtype == "f32" else 2e-2
