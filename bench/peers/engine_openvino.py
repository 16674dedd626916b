# SPDX-License-Identifier: Apache-2.0
"""OpenVINO on the CPU: its ScaledDotProductAttention, for additive a graph of its operators; the
latency hint, float32 kept where float32 is asked for."""
import numpy as np
import openvino as ov
import openvino.opset13 as op


class Engine:
    name = "openvino"

    def __init__(self, threads):
        self.core = ov.Core()
        self.threads = threads
        self.version = ov.get_version().split("-")[0]
        self.setting = f"LATENCY hint, INFERENCE_NUM_THREADS={threads}"

    def prepare(self, case, arrays):
        if case.dtype == "f32":
            tensors = {name: ov.Tensor(array, shared_memory=True) for name, array in arrays.items()}
        else:
            tensors = {name: ov.Tensor(array, ov.Shape(array.shape), ov.Type.bf16)
                       for name, array in arrays.items()}
        build = self.additive if case.mechanism == "additive" else self.dot
        result, parameters, inputs = build(case, tensors)
        model = ov.Model([result], parameters, "attention")
        compiled = self.core.compile_model(model, "CPU", {
            "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": self.threads,
            "INFERENCE_PRECISION_HINT": case.dtype})
        request = compiled.create_infer_request()
        for index, tensor in enumerate(inputs):
            request.set_input_tensor(index, tensor)
        # Bound once: infer() without arguments copies nothing.
        return request.infer, lambda: self.result(request)

    @staticmethod
    def result(request):
        tensor = request.get_output_tensor(0)
        if tensor.element_type == ov.Type.bf16:
            import cases
            return cases.from_bf16(np.array(tensor.data).view(np.uint16))
        return np.array(tensor.data)

    def dot(self, case, tensors):
        kind = ov.Type.f32 if case.dtype == "f32" else ov.Type.bf16
        b, h, g, t, s, d, e = case.b, case.h, case.g, case.tq, case.tk, case.d, case.e
        # The query heads of a group are rows over the same keys: nothing is read twice.
        rows = h // g * t
        if case.masked and rows != t:
            raise NotImplementedError("a mask with grouped heads")
        q = op.parameter([b, g, rows, d], kind, "q")
        k = op.parameter([b, g, s, d], kind, "k")
        v = op.parameter([b, g, s, e], kind, "v")
        windowed = case.window_left >= 0 or case.window_right >= 0
        arguments = [q, k, v]
        if windowed:
            arguments.append(op.constant(case.allowed()))
        result = op.scaled_dot_product_attention(*arguments, causal=case.causal and not windowed)
        query = tensors["q"]
        query.shape = [b, g, rows, d]
        return result, [q, k, v], [query, tensors["k"], tensors["v"]]

    def additive(self, case, tensors):
        query = op.parameter([case.b, case.tq, case.d], ov.Type.f32, "query")
        key = op.parameter([case.b, case.tk, case.d], ov.Type.f32, "key")
        value = op.parameter([case.b, case.tk, case.e], ov.Type.f32, "value")
        u = op.parameter([case.d], ov.Type.f32, "score_vector")
        total = op.add(op.unsqueeze(query, op.constant(2)), op.unsqueeze(key, op.constant(1)))
        column = op.unsqueeze(u, op.constant(1))
        score = op.squeeze(op.matmul(op.tanh(total), column, False, False), op.constant(3))
        result = op.matmul(op.softmax(score, 2), value, False, False)
        return result, [query, key, value, u], [tensors[n] for n in ("query", "key", "value",
                                                                     "score_vector")]
