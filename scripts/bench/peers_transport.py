"""Peers for memories of measures: Sinkhorn divergences of one query cloud to many stored ones.

What is timed is the cross terms alone: the costs between the query and all stored clouds, then iterations.
Self terms of the stored clouds and of the query are worked out elsewhere, in Float64, when an answer is asked
for; engram's time has the query's self term in it.
See serve.py for the conversation.
"""

import warnings

from serve import serve

LOOK_EVERY = 10  # iterations between looks at the residual, as POT does it
MOST_ITERATIONS = 20000


class Task:
    """Clouds of equal size; kind is "divergence"."""

    def __init__(self, files, count, size, dim, kind, epsilon, cost_scale, iterations, tolerance, threads):
        import numpy as np

        def clouds(name):
            points = np.fromfile(files[name], dtype=np.float32).reshape(-1, size, dim)
            weights = np.fromfile(files[name + "_weights"], dtype=np.float32).reshape(-1, size)
            return points, weights / weights.sum(axis=1, keepdims=True, dtype=np.float64)

        self.points, self.weights = clouds("stored")
        self.batches = list(zip(*clouds("queries")))
        self.kind, self.epsilon, self.cost_scale, self.threads = kind, epsilon, cost_scale, threads
        # Either so many iterations, or as many as the tolerance takes (L1 residual of a marginal).
        self.iterations, self.tolerance = iterations or MOST_ITERATIONS, tolerance
        self._self_terms = None

    def debiased(self, query, cross):
        """S from OT(query, stored)."""
        if self._self_terms is None:
            clouds = zip(self.points, self.weights)
            self._self_terms = [self._self_term(points, weights) / 2 for points, weights in clouds]
        return cross - self._self_term(*query) / 2 - self._self_terms

    def _self_term(self, points, weights):
        """OT(nu, nu) by averaged updates, whose error shrinks to a half in each at any epsilon."""
        import numpy as np

        rate = self.cost_scale / self.epsilon
        points = points.astype(np.float64)
        squares = (points**2).sum(axis=1)
        scores = np.log(weights) - rate * (squares[:, None] + squares - 2 * points @ points.T)
        potential = np.zeros(len(points))
        for _ in range(30):
            terms = scores + potential
            largest = terms.max(axis=1)
            potential -= np.log(np.exp(terms - largest[:, None]).sum(axis=1)) + largest
            potential /= 2
        return 2 * self.epsilon * (weights @ potential)


class Torch:
    """Batched log-form Sinkhorn in Float32, as one writes it: torch.logsumexp over all pairs at once.

    Potentials and costs are in units of epsilon. Clouds that have converged leave the batch.
    """

    block = None  # clouds are worked on in blocks of about so many entries of the cost; None: all at once

    def __init__(self, task):
        import torch

        self.torch, self.task, self.version = torch, task, torch.__version__
        torch.set_num_threads(task.threads)
        torch.set_grad_enabled(False)
        self.points = torch.from_numpy(task.points)
        self.weights = torch.from_numpy(task.weights).float()
        self.squares = (self.points**2).sum(dim=2)

    def divergence(self, query):
        torch, (count, size, _) = self.torch, self.points.shape
        step = max(1, self.block // size**2) if self.block else count
        points, weights = torch.from_numpy(query[0]), torch.from_numpy(query[1]).float()
        blocks = range(0, count, step)
        return torch.cat([self._solve(points, weights, slice(i, i + step)) for i in blocks])

    def finish(self, batch, cross):
        return self.task.debiased(self.task.batches[batch], cross.double().numpy())

    def _solve(self, points, a, chosen):
        torch, task = self.torch, self.task
        products = points @ self.points[chosen].transpose(1, 2)
        cost = (points**2).sum(dim=1)[:, None] + self.squares[chosen, None, :] - 2 * products
        cost *= task.cost_scale / task.epsilon
        b = self.weights[chosen]
        values = torch.empty(len(b))
        left = torch.arange(len(b))  # of the clouds, not converged yet
        form = self.prepare(cost, a, b)
        f, g = None, self.initial(b)
        for iteration in range(task.iterations):
            last, f = f, self.rows(form, g)
            if task.tolerance and iteration and iteration % LOOK_EVERY == 0:
                residual = (a * (self.ratio(last, f) - 1).abs()).sum(dim=1)
                going = residual > task.tolerance
                if not going.all():
                    values[left[~going]] = self.value(a, b, f, g)[~going]
                    left, b, f, g = left[going], b[going], f[going], g[going]
                    form = [part[going] for part in form]
                if len(left) == 0:
                    break
            g = self.columns(form, f)
        values[left] = self.value(a, b, f, g)
        return values * task.epsilon

    # The log form: what is iterated are potentials.

    def prepare(self, cost, a, b):
        """What the iterations need of the clouds, one entry for each cloud."""
        return [cost, a.log().expand(len(b), -1), b.log()]

    def initial(self, b):
        return self.torch.zeros_like(b)

    def rows(self, form, g):
        cost, _, log_b = form
        return -self.torch.logsumexp((g + log_b)[:, None, :] - cost, dim=2)

    def columns(self, form, f):
        cost, log_a, _ = form
        return -self.torch.logsumexp((f + log_a)[:, :, None] - cost, dim=1)

    def ratio(self, last, f):
        return (last - f).exp()

    def value(self, a, b, f, g):
        return (a * f).sum(dim=1) + (b * g).sum(dim=1)


class TorchBlocked(Torch):
    """The log form tuned for a processor: in place, along rows, in blocks that stay in its cache."""

    block = 1 << 20

    def prepare(self, cost, a, b):
        cost, log_a, log_b = super().prepare(cost, a, b)
        return [cost, cost.transpose(1, 2).contiguous(), log_a, log_b]

    def rows(self, form, g):
        cost, _, _, log_b = form
        return self._negative_logsumexp((g + log_b)[:, None, :] - cost)

    def columns(self, form, f):
        _, transposed, log_a, _ = form
        return self._negative_logsumexp((f + log_a)[:, None, :] - transposed)

    def _negative_logsumexp(self, terms):
        largest = terms.amax(dim=2, keepdim=True)
        return terms.sub_(largest).exp_().sum(dim=2).log_().add_(largest[:, :, 0]).neg_()


class TorchScaling(Torch):
    """The scaling form: products with the Gibbs kernel. Fast, and wrong where the kernel underflows."""

    block = 1 << 20

    def prepare(self, cost, a, b):
        kernel = (-cost).exp()
        transposed = (kernel * a[:, None]).transpose(1, 2).contiguous()
        return [kernel * b[:, None, :], transposed]

    def initial(self, b):
        return self.torch.ones_like(b)

    def rows(self, form, v):
        return 1 / self.torch.bmm(form[0], v[:, :, None])[:, :, 0]

    def columns(self, form, u):
        return 1 / self.torch.bmm(form[1], u[:, :, None])[:, :, 0]

    def ratio(self, last, u):
        return last / u

    def value(self, a, b, u, v):
        return super().value(a, b, u.log(), v.log())


class Pot:
    """ot.sinkhorn in Float64, pair by pair; ot.bregman.sinkhorn_log where its scaling form fails.

    It stops by the L2 norm of the residual. An L1 norm of at most the tolerance takes an L2 norm that is smaller
    by the root of the number of points.
    """

    def __init__(self, task):
        import numpy
        import ot

        self.np, self.ot, self.task, self.version = numpy, ot, task, ot.__version__
        self.points = task.points.astype(numpy.float64)

    def divergence(self, query):
        points, a = query[0].astype(self.np.float64), query[1]
        return self.np.array([self._pair(points, a, k) for k in range(len(self.points))])

    def finish(self, batch, cross):
        return self.task.debiased(self.task.batches[batch], cross)

    def _pair(self, points, a, k):
        np, task, b = self.np, self.task, self.task.weights[k]
        cost = task.cost_scale * self.ot.dist(points, self.points[k])
        stop = {"numItermax": task.iterations, "stopThr": task.tolerance / len(a) ** 0.5, "log": True, "warn": False}
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("error")  # its word for a failure
                _, log = self.ot.sinkhorn(a, b, cost, task.epsilon, **stop)
            log_u, log_v = np.log(log["u"]), np.log(log["v"])
        except UserWarning:
            _, log = self.ot.bregman.sinkhorn_log(a, b, cost, task.epsilon, **stop)
            log_u, log_v = log["log_u"], log["log_v"]
        # Its plan is diag(u) K diag(v), that of the potentials diag(a u) K diag(b v).
        return task.epsilon * (a @ (log_u - np.log(a)) + b @ (log_v - np.log(b)))


PEERS = {"torch": Torch, "torch-blocked": TorchBlocked, "torch-scaling": TorchScaling, "pot": Pot}

serve(Task, PEERS)
