"""Peers on a device: what PyTorch makes of the tasks that engram-device-test measures.

    python3 scripts/bench/peers_device.py [--tiny] [--cpu] [--out FILE]

Times are medians of single runs between two events of the device, on fresh random data, larger than the second
cache or rotated. Each answer is compared with Float64 in the same run. --tiny and --cpu try the script itself where
there is no device. Writes JSON to FILE and a table to the output; where PyTorch or a device is missing, says so, and
that is no failure.
"""

import argparse
import json
import math
import statistics
import sys
import time

MOST_RUNS = 50
LEAST_RUNS = 10
WARM_UP = 3
ENOUGH_SECONDS = 2.0


class Skipped(Exception):
    """Why a row cannot be measured here."""


class Clock:
    """Seconds of one run: between events of the device, or by the wall clock of the host."""

    def __init__(self, torch, device):
        self.torch, self.on_device = torch, device.type == "cuda"

    def seconds(self, work):
        if not self.on_device:
            begin = time.perf_counter()
            work()
            return time.perf_counter() - begin
        begin, end = (self.torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        work()
        end.record()
        end.synchronize()
        return begin.elapsed_time(end) / 1e3

    def timings(self, work, tiny):
        """work(run) is called with a rising number, by which inputs can be rotated."""
        runs, least = (0, 1) if tiny else (WARM_UP, LEAST_RUNS)
        for run in range(runs):
            work(run)
        times = []
        while len(times) < least or (not tiny and len(times) < MOST_RUNS and sum(times) < ENOUGH_SECONDS):
            number = len(times)
            times.append(self.seconds(lambda: work(number)))
        return times


class Bench:
    def __init__(self, torch, device, tiny):
        self.torch, self.device, self.tiny = torch, device, tiny
        self.clock = Clock(torch, device)
        self.rows, self.skips = [], []

    def normal(self, *shape, dtype=None):
        return self.torch.randn(*shape, device=self.device).to(dtype or self.torch.float32)

    def measure(self, name, work, amount, unit, beside=None, judge=None):
        """`beside`: the row of engram-device-test for the same task. `judge(result)`: the largest relative error."""
        try:
            results = {}

            def run(number):
                results["last"] = work(number)

            times = self.clock.timings(run, self.tiny)
            error = judge(results["last"]) if judge else None
        except (Skipped, RuntimeError, NotImplementedError, AttributeError, ImportError) as reason:
            text = str(reason).strip()
            self.skip(name, text.splitlines()[0] if text else type(reason).__name__)
            return
        row = {
            "name": name,
            "beside": beside,
            "seconds": statistics.median(times),
            "leastSeconds": min(times),
            "runs": len(times),
            "amount": amount,
            "unit": unit,
            "error": error,
        }
        self.rows.append(row)
        rate = amount / row["seconds"]
        seen = "" if error is None else f"   error {error:.1e}"
        print(f"{name:72} {1e3 * row['seconds']:10.4f} ms {rate:10.4g} {unit}/s{seen}", flush=True)

    def skip(self, name, reason):
        self.skips.append({"name": name, "reason": reason})
        print(f"SKIPPED: {name}: {reason}", flush=True)


def limits(bench):
    """Copies on the device, and from pinned memory of the host."""
    torch = bench.torch
    count = 1 << 14 if bench.tiny else 1 << 28
    source = bench.normal(count)
    target = torch.empty_like(source)
    bench.measure("copy on the device, read and written", lambda _: target.copy_(source), 8e-9 * count, "GB")
    if bench.device.type != "cuda":
        return bench.skip("pinned host to device", "no device")
    host = torch.empty(count, pin_memory=True)
    host.normal_()
    bench.measure("pinned host to device", lambda _: target.copy_(host, non_blocking=True), 4e-9 * count, "GB")


def exact_attention(torch, queries, keys, scale, compared=4):
    """The readout of some queries in Float64, slice by slice of the memory."""
    chosen = torch.linspace(0, len(queries) - 1, min(compared, len(queries))).long().to(queries.device)
    few = queries[chosen].double()
    scores = torch.cat([scale * few @ part.double().T for part in keys.split(1 << 18)], dim=1)
    weights = torch.softmax(scores, dim=1)
    parts = zip(weights.split(1 << 18, dim=1), keys.split(1 << 18))
    return chosen, sum(weight @ part.double() for weight, part in parts)


def attention_error(torch, result, queries, keys, scale):
    chosen, exact = exact_attention(torch, queries, keys, scale)
    return float((result[chosen].double() - exact).norm() / exact.norm())


def soft_retrieval(bench, count, dim, queries, kinds):
    """Fused attention of `queries` to `count` rows that are keys and values."""
    torch = bench.torch
    few = queries <= 8
    for kind in kinds:
        dtype, tf32 = {
            "bf16": (torch.bfloat16, False),
            "f16": (torch.float16, False),
            "f32": (torch.float32, False),
            "f32 by tf32": (torch.float32, True),
        }[kind]
        torch.backends.cuda.matmul.allow_tf32 = tf32
        keys, cues = bench.normal(count, dim, dtype=dtype), bench.normal(queries, dim, dtype=dtype)
        scale = 2 / math.sqrt(dim)

        def fused(_):
            attention = torch.nn.functional.scaled_dot_product_attention
            memory = keys[None, None]
            return attention(cues[None, None], memory, memory, scale=scale)[0, 0]

        def plain(_):
            return torch.softmax(scale * (cues @ keys.T), dim=1) @ keys

        amount = 1e-9 * count * dim * keys.element_size() if few else 4e-12 * count * dim * queries
        unit = "GB" if few else "TFLOP"
        shape = f"{count}x{dim} Q={queries}"
        beside = f"soft retrieval: readout dot {kind} {shape}"

        def judge(result):
            return attention_error(torch, result, cues, keys, scale)

        bench.measure(f"scaled_dot_product_attention {kind} {shape}", fused, amount, unit, beside, judge)
        if few:
            bench.measure(f"softmax and two products {kind} {shape}", plain, amount, unit, beside, judge)
    torch.backends.cuda.matmul.allow_tf32 = False


def top_k(bench, count, dim, queries, k, kinds):
    """torch.topk over a product; queries in groups whose scores fit in memory."""
    torch = bench.torch
    group = max(1, min(queries, (1 << 31) // (4 * count) or 1))
    for kind in kinds:
        dtype, tf32 = {
            "f32": (torch.float32, False),
            "f32 by tf32": (torch.float32, True),
            "bf16": (torch.bfloat16, False),
        }[kind]
        torch.backends.cuda.matmul.allow_tf32 = tf32
        keys, cues = bench.normal(count, dim, dtype=dtype), bench.normal(queries, dim, dtype=dtype)

        def work(_):
            found = [torch.topk(part @ keys.T, k, dim=1) for part in cues.split(group)]
            return torch.cat([best.indices for best in found])

        def judge(indices):
            """The share of the true best that is missing."""
            wrong = 0
            for at in {0, queries - 1}:
                exact = torch.cat([part.double() @ cues[at].double() for part in keys.split(1 << 18)])
                true = set(torch.topk(exact, k).indices.tolist())
                wrong += len(true - set(indices[at].tolist()))
            return wrong / (k * len({0, queries - 1}))

        few = queries <= 8
        amount = 1e-9 * count * dim * keys.element_size() if few else 2e-12 * count * dim * queries
        shape = f"{count}x{dim} Q={queries} k={k}"
        # Comparable where both are as exact as Float32, or as bf16.
        beside = f"top 10: top-k dot {kind} {shape}" if kind != "f32 by tf32" else None
        unit = "GB" if few else "TFLOP"
        bench.measure(f"matmul and topk {kind} {shape}", work, amount, unit, beside, judge)
    torch.backends.cuda.matmul.allow_tf32 = False


def sinkhorn_step(torch):
    def iterate(costs, log_a, log_b, epsilon, iterations):
        """Log-domain Sinkhorn of pairs: costs is pairs x points x points. The potential of the second side."""
        scaled = -costs / epsilon
        f = torch.zeros(costs.shape[0], costs.shape[1], device=costs.device)
        g = torch.zeros(costs.shape[0], costs.shape[2], device=costs.device)
        for _ in range(iterations):
            f = -torch.logsumexp(scaled + (log_b + g)[:, None, :], dim=2)
            g = -torch.logsumexp(scaled + (log_a + f)[:, :, None], dim=1)
        return f, g

    return iterate


def transport(bench, clouds, points, dim, iterations, epsilon=0.1):
    torch = bench.torch
    iterate = sinkhorn_step(torch)
    # Several memories in turn: together larger than the second cache.
    sets = [(bench.normal(clouds, points, dim), bench.normal(points, dim)) for _ in range(1 if bench.tiny else 8)]
    log_weight = torch.full((1, points), -math.log(points), device=bench.device)

    def costs_of(memory, cue, dtype=torch.float32):
        return (cue.to(dtype)[None, :, None, :] - memory.to(dtype)[:, None, :, :]).square().sum(dim=3) / 2

    def solver(step):
        def work(number):
            memory, cue = sets[number % len(sets)]
            return number % len(sets), step(costs_of(memory, cue), log_weight, log_weight, epsilon, iterations)

        return work

    def judge(result):
        number, (f, g) = result
        memory, cue = sets[number]
        few = costs_of(memory[:4], cue, torch.float64)
        exact_f, exact_g = iterate(few, log_weight.double(), log_weight.double(), epsilon, iterations)
        total = exact_f.mean(dim=1) + exact_g.mean(dim=1)
        return float(((f[:4].double().mean(dim=1) + g[:4].double().mean(dim=1) - total) / total).abs().max())

    exponentials = 2e-9 * clouds * points * points * iterations
    shape = f"{clouds} clouds of {points} points in {dim} dimensions, {iterations} iterations"
    beside = f"transport: {shape}"
    bench.measure(f"log-domain Sinkhorn, {shape}", solver(iterate), exponentials, "Gexp", beside, judge)
    if bench.device.type != "cuda":
        return bench.skip("log-domain Sinkhorn, torch.compile", "no device")
    if not hasattr(torch, "compile"):
        return bench.skip("log-domain Sinkhorn, torch.compile", f"PyTorch {torch.__version__} cannot")
    for mode in ("default", "reduce-overhead"):
        # One iteration is compiled: a hundred in one graph would take minutes.
        compiled = torch.compile(lambda scaled, log_a, log_b, g: compiled_pair(torch, scaled, log_a, log_b, g), mode=mode)

        def step(costs, log_a, log_b, epsilon_, iterations_, compiled=compiled):
            scaled = -costs / epsilon_
            f = g = torch.zeros(costs.shape[0], costs.shape[2], device=costs.device)
            for _ in range(iterations_):
                f, g = (x.clone() for x in compiled(scaled, log_a, log_b, g))
            return f, g

        name = f"log-domain Sinkhorn, torch.compile ({mode}), {shape}"
        bench.measure(name, solver(step), exponentials, "Gexp", beside, judge)


def compiled_pair(torch, scaled, log_a, log_b, g):
    f = -torch.logsumexp(scaled + (log_b + g)[:, None, :], dim=2)
    return f, -torch.logsumexp(scaled + (log_a + f)[:, :, None], dim=1)


def measure_all(bench):
    tiny = bench.tiny
    limits(bench)
    batch = (300, 32, 20) if tiny else (262144, 128, 8192)
    soft_retrieval(bench, *batch, ["bf16", "f16", "f32", "f32 by tf32"])
    for dim in () if tiny else (64, 256):
        soft_retrieval(bench, 262144, dim, 8192, ["bf16"])
    rows = (400, 32) if tiny else (4194304, 128)
    soft_retrieval(bench, *rows, 1, ["f32", "bf16", "f16"])
    soft_retrieval(bench, *rows, 8, ["f32", "bf16"])
    top_k(bench, *rows, 1, 10, ["f32"])
    top_k(bench, *rows, 16 if tiny else 256, 10, ["f32", "f32 by tf32", "bf16"])
    transport(bench, *((6, 16, 3, 10) if tiny else (1000, 64, 3, 100)))


def facts_of(torch, device):
    facts = {"python": sys.version.split()[0], "torch": torch.__version__, "device": str(device)}
    if device.type == "cuda":
        facts |= {"name": torch.cuda.get_device_name(device), "cuda": torch.version.cuda}
    return facts


def run(options):
    try:
        import torch
    except ImportError as reason:
        return {"skipped": f"python3 has no PyTorch: {reason}"}
    if not options.cpu and not torch.cuda.is_available():
        return {"skipped": f"PyTorch {torch.__version__} finds no CUDA device"}
    device = torch.device("cpu" if options.cpu else "cuda:0")
    bench = Bench(torch, device, options.tiny)
    with torch.inference_mode():
        measure_all(bench)
    return {"facts": facts_of(torch, device), "rows": bench.rows, "skips": bench.skips}


def main():
    parser = argparse.ArgumentParser(description="PyTorch on the tasks of engram-device-test")
    parser.add_argument("--tiny", action="store_true", help="shapes of no interest, to try the script")
    parser.add_argument("--cpu", action="store_true", help="without a device")
    parser.add_argument("--out", help="where the JSON goes")
    options = parser.parse_args()
    report = run(options)
    if "skipped" in report:
        print(f"SKIPPED: PyTorch peers: {report['skipped']}")
    if options.out:
        with open(options.out, "w", encoding="utf-8") as file:
            json.dump(report, file, indent=1)


if __name__ == "__main__":
    main()
