# SPDX-License-Identifier: Apache-2.0
"""Attune through its shared library and nothing but the public header's layout."""
import ctypes as c

import numpy as np

from attune_layout import INPUT_SLOTS, Args, Problem

ADDITIVE, SELF, TOP_LEFT = 1, 3, 1
DTYPES = {np.dtype(np.float32): 1, np.dtype(np.uint16): 3}  # bfloat16 comes as its bits


class Engine:
    name = "attune"

    def __init__(self, threads, library):
        self.library = lib = c.CDLL(library)
        lib.attune_version.restype = c.c_uint32
        lib.attune_error_detail.restype = lib.attune_input_name.restype = c.c_char_p
        lib.attune_plan_workspace_size.restype = lib.attune_plan_describe.restype = c.c_size_t
        lib.attune_plan_workspace_size.argtypes = [c.c_void_p]
        lib.attune_plan_describe.argtypes = [c.c_void_p, c.c_char_p, c.c_size_t]
        lib.attune_plan_release.argtypes = [c.c_void_p]
        lib.attune_plan_execute.argtypes = [c.c_void_p, c.c_void_p]
        number = lib.attune_version()
        self.version = f"{number >> 16}.{number >> 8 & 255}.{number & 255}"
        self.context = c.c_void_p()
        # Default options: as many threads as the process may use CPUs.
        self.check(lib.attune_context_create(None, c.byref(self.context)))
        used = lib.attune_context_threads(self.context)
        if used != threads:
            raise RuntimeError(f"{used} threads instead of {threads}")
        self.setting = f"threads={used}"
        names = (lib.attune_input_name(i) for i in range(INPUT_SLOTS))
        self.slots = {name.decode(): i for i, name in enumerate(names) if name}
        self.plan = None

    def check(self, status):
        if status:
            raise RuntimeError(self.library.attune_error_detail().decode())

    def describe(self, case, arrays):
        problem = Problem()
        self.library.attune_problem_init(c.byref(problem),
                                         ADDITIVE if case.mechanism == "additive" else SELF)
        for name, array in arrays.items():
            size = (c.c_int64 * array.ndim)(*array.shape)
            self.library.attune_problem_input(c.byref(problem), self.slots[name],
                                              DTYPES[array.dtype], array.ndim, size)
        self.library.attune_problem_output(c.byref(problem), 0)
        problem.causal = TOP_LEFT if case.causal else 0
        problem.window_left, problem.has_window_left = case.window_left, 1
        problem.window_right, problem.has_window_right = case.window_right, 1
        return problem

    def prepare(self, case, arrays):
        lib = self.library
        lib.attune_plan_release(self.plan)
        self.plan = c.c_void_p()
        problem = self.describe(case, arrays)
        self.check(lib.attune_plan_create(self.context, c.byref(problem), c.byref(self.plan)))
        text = c.create_string_buffer(1024)
        lib.attune_plan_describe(self.plan, text, len(text))
        self.kernels = text.value.decode()
        out = np.empty((case.b, case.h, case.tq, case.e), np.float32)
        workspace = np.empty(lib.attune_plan_workspace_size(self.plan), np.uint8)
        args = Args(struct_size=c.sizeof(Args), workspace=workspace.ctypes.data,
                    workspace_size=workspace.nbytes)
        for name, array in arrays.items():
            args.in_[self.slots[name]] = array.ctypes.data
        args.out[0] = out.ctypes.data
        execute, plan, where = lib.attune_plan_execute, self.plan, c.byref(args)

        def run(_alive=workspace):
            status = execute(plan, where)
            if status:
                self.check(status)
        return run, lambda: out
