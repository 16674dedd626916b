# SPDX-License-Identifier: Apache-2.0
"""Peers that are C libraries, behind the interface of native.h: oneDNN's chain of primitives, ggml."""
import ctypes as c

import numpy as np


class Problem(c.Structure):
    _fields_ = ([(name, c.c_int64) for name in ("batch", "heads", "groups", "queries", "keys",
                                                "d", "e")]
                + [(name, c.c_void_p) for name in ("q", "k", "v", "mask", "out")]
                + [("threads", c.c_int32)])


class Engine:
    def __init__(self, threads, library, name):
        self.library = c.CDLL(library)
        self.library.peer_version.restype = self.library.peer_setting.restype = c.c_char_p
        self.library.peer_open.restype = self.library.peer_trouble.restype = c.c_void_p
        self.library.peer_trouble.restype = c.c_char_p
        self.library.peer_run.argtypes = self.library.peer_close.argtypes = [c.c_void_p]
        self.name, self.threads, self.opened = name, threads, None
        self.version = self.library.peer_version().decode()
        self.setting = f"threads={threads}, {self.library.peer_setting().decode()}"

    def prepare(self, case, arrays):
        if case.mechanism != "self" or case.dtype != "f32":
            raise NotImplementedError("float32 dot product only")
        self.library.peer_close(self.opened)
        self.opened = None
        mask = None
        if case.masked:
            mask = np.where(case.allowed(), np.float32(0), np.float32(-np.inf))
        out = np.empty((case.b, case.h, case.tq, case.e), np.float32)
        problem = Problem(case.b, case.h, case.g, case.tq, case.tk, case.d, case.e,
                          *(arrays[n].ctypes.data for n in "qkv"),
                          mask.ctypes.data if case.masked else None, out.ctypes.data, self.threads)
        self.opened = self.library.peer_open(c.byref(problem))
        if not self.opened:
            raise RuntimeError(self.library.peer_trouble().decode())
        execute, opened = self.library.peer_run, self.opened

        def run(_alive=mask):
            if execute(opened):
                raise RuntimeError(self.library.peer_trouble().decode())

        def result():
            if not self.library.peer_heads_last():
                return out
            return out.reshape(case.b, case.tq, case.h, case.e).transpose(0, 2, 1, 3)
        return run, result
