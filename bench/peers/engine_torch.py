# SPDX-License-Identifier: Apache-2.0
"""PyTorch on the CPU, as its own pages say to use it: scaled_dot_product_attention, FlexAttention
compiled, and for additive the formula under torch.compile."""
import torch
import torch.nn.functional as functional


class Engine:
    """`way`: sdpa, flex or compile."""

    def __init__(self, threads, way):
        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)
        self.way = way
        self.name = {"sdpa": "pytorch sdpa", "flex": "pytorch flex", "compile": "pytorch compile"}[way]
        self.version = torch.__version__
        self.setting = (f"threads={torch.get_num_threads()}, inference, "
                        f"{torch.backends.cpu.get_cpu_capability()}"
                        + ("" if way == "sdpa" else ", torch.compile(dynamic=False)"))

    def prepare(self, case, arrays):
        torch._dynamo.reset()
        tensors = {name: torch.from_numpy(a).view(torch.bfloat16) if a.dtype == "uint16"
                   else torch.from_numpy(a) for name, a in arrays.items()}
        call = getattr(self, self.way)(case, tensors)
        last = []

        def run():
            last[:] = [call()]
        return run, lambda: last[0].float().numpy()

    def sdpa(self, case, tensors):
        if case.mechanism != "self":
            raise NotImplementedError("dot product only")
        q, k, v = tensors["q"], tensors["k"], tensors["v"]
        windowed = case.window_left >= 0 or case.window_right >= 0
        mask = torch.from_numpy(case.allowed())[None, None] if windowed else None
        options = {"attn_mask": mask, "is_causal": case.causal and not windowed,
                   "enable_gqa": case.g < case.h}
        return lambda: functional.scaled_dot_product_attention(q, k, v, **options)

    def flex(self, case, tensors):
        from torch.nn.attention.flex_attention import create_block_mask, flex_attention
        if case.mechanism != "self":
            raise NotImplementedError("dot product only")
        if not case.masked and case.tq > 1:
            raise NotImplementedError("plain attention is scaled_dot_product_attention's")
        q, k, v = tensors["q"], tensors["k"], tensors["v"]
        left, right, causal = case.window_left, case.window_right, case.causal

        def may(b, h, i, j):
            ok = i >= 0
            if causal:
                ok = ok & (j <= i)
            if left >= 0:
                ok = ok & (j >= i - left)
            if right >= 0:
                ok = ok & (j <= i + right)
            return ok
        mask = (create_block_mask(may, None, None, case.tq, case.tk, device="cpu")
                if case.masked else None)
        compiled = torch.compile(flex_attention, dynamic=False)
        return lambda: compiled(q, k, v, block_mask=mask, enable_gqa=case.g < case.h)

    def compile(self, case, tensors):
        if case.mechanism != "additive":
            raise NotImplementedError("additive only")

        def additive(query, key, value, u):
            score = (torch.tanh(query[:, :, None, :] + key[:, None, :, :]) * u).sum(-1)
            return torch.softmax(score, -1) @ value
        compiled = torch.compile(additive, dynamic=False)
        arguments = [tensors[n] for n in ("query", "key", "value", "score_vector")]
        return lambda: compiled(*arguments)
