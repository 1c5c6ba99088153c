"""Peers for dense memories: retrieval and search. See serve.py for the conversation."""

from serve import serve


class Numpy:
    def __init__(self, task):
        import numpy

        self.np, self.task, self.version = numpy, task, numpy.__version__

    def search(self, queries):
        np, k = self.np, self.task.k
        if len(queries) == 1:
            scores = (self.task.patterns @ queries[0])[None, :]
        else:
            scores = queries @ self.task.patterns.T
        best = np.argpartition(scores, -k, axis=1)[:, -k:]
        found = np.take_along_axis(scores, best, axis=1)
        order = np.argsort(-found, axis=1)
        return np.take_along_axis(best, order, axis=1), np.take_along_axis(found, order, axis=1)

    def retrieve(self, state):
        np, patterns = self.np, self.task.patterns
        for _ in range(self.task.steps):
            scores = patterns @ state[0] if len(state) == 1 else state @ patterns.T
            scores = scores.reshape(len(state), -1)
            scores *= self.task.beta
            scores -= scores.max(axis=1, keepdims=True)
            np.exp(scores, out=scores)
            total = scores.sum(axis=1, keepdims=True)
            state = (scores[0] @ patterns)[None, :] if len(state) == 1 else scores @ patterns
            state /= total
        return state


class Faiss:
    def __init__(self, task):
        import faiss

        self.task, self.version = task, faiss.__version__
        faiss.omp_set_num_threads(task.threads)
        self.index = faiss.IndexFlatIP(task.patterns.shape[1])
        self.index.add(task.patterns)

    def search(self, queries):
        scores, indices = self.index.search(queries, self.task.k)
        return indices, scores


class Torch:
    def __init__(self, task):
        import torch

        if task.kind == "retrieve" and not hasattr(torch.nn.functional, "scaled_dot_product_attention"):
            raise ImportError(f"PyTorch {torch.__version__} has no scaled_dot_product_attention")
        self.torch, self.task, self.version = torch, task, torch.__version__
        torch.set_num_threads(task.threads)
        torch.set_grad_enabled(False)
        self.patterns = torch.from_numpy(task.patterns)

    def search(self, queries):
        found = (self.torch.from_numpy(queries) @ self.patterns.T).topk(self.task.k, dim=1)
        return found.indices.numpy(), found.values.numpy()

    def retrieve(self, state):
        attention = self.torch.nn.functional.scaled_dot_product_attention
        state, keys = self.torch.from_numpy(state)[None, None], self.patterns[None, None]
        for _ in range(self.task.steps):
            state = attention(state, keys, keys, scale=self.task.beta)
        return state[0, 0].numpy()


PEERS = {"numpy": Numpy, "faiss": Faiss, "torch": Torch}


class Task:
    def __init__(self, files, dim, queries, kind, beta, steps, k, threads):
        import numpy

        self.patterns = numpy.fromfile(files["patterns"], dtype=numpy.float32).reshape(-1, dim)
        self.batches = numpy.fromfile(files["queries"], dtype=numpy.float32).reshape(-1, queries, dim)
        self.kind, self.beta, self.steps, self.k, self.threads = kind, beta, steps, k, threads


serve(Task, PEERS)
