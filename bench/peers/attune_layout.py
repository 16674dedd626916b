# SPDX-License-Identifier: Apache-2.0
"""The two structures of attune.h that an execution needs. A test compares them with the header."""
import ctypes as c

INPUT_SLOTS, OUTPUT_SLOTS, MAX_RANK = 48, 8, 4


class Tensor(c.Structure):
    _fields_ = [("dtype", c.c_int32), ("rank", c.c_int32), ("size", c.c_int64 * MAX_RANK),
                ("stride", c.c_int64 * MAX_RANK)]


class Problem(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("mechanism", c.c_int32), ("form", c.c_int32),
                ("causal", c.c_int32), ("recurrence", c.c_int32), ("stage", c.c_int32),
                ("flags", c.c_uint32), ("has_score_scale", c.c_int32),
                ("has_output_scale", c.c_int32), ("has_window_left", c.c_int32),
                ("has_window_right", c.c_int32), ("score_scale", c.c_double),
                ("output_scale", c.c_double), ("softcap", c.c_double), ("heads", c.c_int64),
                ("past", c.c_int64), ("window_left", c.c_int64), ("window_right", c.c_int64),
                ("in_", Tensor * INPUT_SLOTS), ("out", Tensor * OUTPUT_SLOTS)]


class Args(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("in_", c.c_void_p * INPUT_SLOTS),
                ("out", c.c_void_p * OUTPUT_SLOTS), ("workspace", c.c_void_p),
                ("workspace_size", c.c_size_t), ("prepared", c.c_void_p),
                ("prepared_size", c.c_size_t)]
