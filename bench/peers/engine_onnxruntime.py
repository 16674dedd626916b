# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime on the CPU: its MultiHeadAttention (flash where nothing is masked), its
GroupQueryAttention with shared cache buffers (causal, window, decoding), and for additive a graph of
standard operators. Inputs and outputs are bound once, so that no copy is timed."""
import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper

FLOAT, INT32 = TensorProto.FLOAT, TensorProto.INT32


def info(name, shape, kind=FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def flat(array):
    """[B, H, T, D] to [B, T, H * D], the layout that these operators take."""
    b, h, t, d = array.shape
    return np.ascontiguousarray(array.transpose(0, 2, 1, 3).reshape(b, t, h * d))


class Engine:
    name = "onnxruntime"

    def __init__(self, threads):
        self.version = ort.__version__
        self.options = ort.SessionOptions()
        self.options.intra_op_num_threads = threads
        self.options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.setting = f"intra_op_num_threads={threads}, all optimizations, bound inputs and outputs"

    def session(self, nodes, inputs, outputs):
        graph = helper.make_graph(nodes, "attention", inputs, outputs)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18),
                                                        helper.make_opsetid("com.microsoft", 1)])
        model.ir_version = 10
        return ort.InferenceSession(model.SerializeToString(), self.options,
                                    providers=["CPUExecutionProvider"])

    def prepare(self, case, arrays):
        if case.dtype != "f32":
            raise NotImplementedError(f"no {case.dtype} attention on the CPU")
        if case.mechanism == "additive":
            return self.additive(case, arrays)
        if case.masked or case.tq == 1:
            return self.grouped(case, arrays)
        return self.multi_head(case, arrays)

    def bind(self, session, inputs, outputs):
        """A run over values that stay where they are; outputs may be inputs' buffers."""
        binding = session.io_binding()
        for name, value in inputs.items():
            binding.bind_ortvalue_input(name, value)
        for name, value in outputs.items():
            binding.bind_ortvalue_output(name, value)
        return lambda: session.run_with_iobinding(binding)

    def multi_head(self, case, arrays):
        b, h, t, s, d, e = case.b, case.h, case.tq, case.tk, case.d, case.e
        node = helper.make_node("MultiHeadAttention", ["q", "k", "v"], ["out"],
                                domain="com.microsoft", num_heads=h)
        session = self.session([node], [info("q", [b, t, h * d]), info("k", [b, s, h * d]),
                                        info("v", [b, s, h * e])], [info("out", [b, t, h * e])])
        values = {n: ort.OrtValue.ortvalue_from_numpy(flat(arrays[n])) for n in ("q", "k", "v")}
        out = ort.OrtValue.ortvalue_from_numpy(np.empty((b, t, h * e), np.float32))
        run = self.bind(session, values, {"out": out})
        return run, lambda: out.numpy().reshape(b, t, h, e).transpose(0, 2, 1, 3)

    def grouped(self, case, arrays):
        """The cache holds all keys but those of the call's own tokens, which the operator appends in
        place: a decoder's step."""
        b, h, g, t, s, d = case.b, case.h, case.g, case.tq, case.tk, case.d
        if case.window_right >= 0 or case.e != d or (case.tq > 1 and case.tq != case.tk):
            raise NotImplementedError("GroupQueryAttention: causal self-attention or one query")
        names = ["q", "k", "v", "past_k", "past_v", "lengths", "total"]
        node = helper.make_node("GroupQueryAttention", names, ["out", "now_k", "now_v"],
                                domain="com.microsoft", num_heads=h, kv_num_heads=g,
                                local_window_size=case.window_left + 1 if case.window_left >= 0
                                else -1)
        cache = [b, g, s, d]
        session = self.session([node],
                               [info("q", [b, t, h * d]), info("k", [b, t, g * d]),
                                info("v", [b, t, g * d]), info("past_k", cache),
                                info("past_v", cache), info("lengths", [b], INT32),
                                info("total", [1], INT32)],
                               [info("out", [b, t, h * d]), info("now_k", cache),
                                info("now_v", cache)])
        fresh = {"q": flat(arrays["q"]), "k": flat(arrays["k"][:, :, s - t:]),
                 "v": flat(arrays["v"][:, :, s - t:]), "past_k": arrays["k"].copy(),
                 "past_v": arrays["v"].copy(), "lengths": np.full(b, s - 1, np.int32),
                 "total": np.array([s], np.int32)}
        values = {n: ort.OrtValue.ortvalue_from_numpy(a) for n, a in fresh.items()}
        out = ort.OrtValue.ortvalue_from_numpy(np.empty((b, t, h * d), np.float32))
        run = self.bind(session, values, {"out": out, "now_k": values["past_k"],
                                          "now_v": values["past_v"]})
        return run, lambda: out.numpy().reshape(b, t, h, d).transpose(0, 2, 1, 3)

    def additive(self, case, arrays):
        b, t, s, a, e = case.b, case.tq, case.tk, case.d, case.e
        nodes = [helper.make_node("Add", ["query", "key"], ["sum"]),
                 helper.make_node("Tanh", ["sum"], ["tanh"]),
                 helper.make_node("MatMul", ["tanh", "score_vector"], ["score"]),
                 helper.make_node("Softmax", ["score"], ["weights"], axis=-1),
                 helper.make_node("MatMul", ["weights", "value"], ["out"])]
        session = self.session(nodes, [info("query", [b, t, 1, a]), info("key", [b, 1, s, a]),
                                       info("value", [b, s, e]), info("score_vector", [a])],
                               [info("out", [b, t, e])])
        fresh = dict(arrays, query=arrays["query"].reshape(b, t, 1, a),
                     key=arrays["key"].reshape(b, 1, s, a))
        values = {n: ort.OrtValue.ortvalue_from_numpy(x) for n, x in fresh.items()}
        out = ort.OrtValue.ortvalue_from_numpy(np.empty((b, t, e), np.float32))
        return self.bind(session, values, {"out": out}), out.numpy
