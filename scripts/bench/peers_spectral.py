"""Peers for leading eigenpairs of the second moment X^T X / rows of examples X. See serve.py for the conversation.

What is timed gives eigenvalues (k, falling) and eigenvectors (k x dim). An answer is [largest residual, sine of the
largest angle between subspaces, eigenvalues...], judged here in Float64 for every contestant, engram included:
the answer of `judge` is that on the vectors engram gave.
"""

from serve import serve


class Task:
    """kind is "eigenpairs". Examples are signs: sums of their products are exact in Float32."""

    def __init__(self, files, dim, k, tolerance, kind, threads):
        import numpy as np

        self.examples = np.fromfile(files["examples"], dtype=np.float32).reshape(-1, dim)
        self.dim, self.k, self.tolerance, self.kind, self.threads = dim, k, tolerance, kind, threads
        self.batches = [None]
        self.given = [np.fromfile(files[name], dtype) for name, dtype in (("values", "f8"), ("vectors", "f4"))]
        self._reference = None

    @property
    def by_columns(self):
        return self.dim <= len(self.examples)

    def gram(self):
        """Of the smaller side, divided by the number of rows."""
        x = self.examples
        gram = x.T @ x if self.by_columns else x @ x.T
        gram /= len(x)
        return gram

    def top(self, gram):
        """Leading eigenpairs of a Gram matrix as those of the second moment."""
        import numpy as np
        from scipy.linalg import eigh

        size = len(gram)
        values, vectors = eigh(gram, subset_by_index=(size - self.k, size - 1), overwrite_a=True, check_finite=False)
        values, vectors = values[::-1], np.ascontiguousarray(vectors.T[::-1])
        if not self.by_columns:
            vectors = vectors.astype(self.examples.dtype, copy=False) @ self.examples
            vectors /= (values * len(self.examples))[:, None] ** 0.5
        return values, vectors

    def judge(self, values, vectors):
        import numpy as np

        values, vectors = np.asarray(values, "f8"), np.asarray(vectors, "f8").reshape(self.k, self.dim)
        product = np.zeros_like(vectors)
        for first in range(0, len(self.examples), 4096):
            some = self.examples[first : first + 4096].astype("f8")
            product += (vectors @ some.T) @ some
        product /= len(self.examples)
        residuals = np.linalg.norm(product - values[:, None] * vectors, axis=1) / values.max()
        if self._reference is None:
            reference = self.top(self.gram().astype("f8"))[1].astype("f8")
            self._reference = np.linalg.qr(reference.T)[0].T
        outside = vectors - (vectors @ self._reference.T) @ self._reference
        angle = np.linalg.svd(outside @ outside.T, compute_uv=False)[0] ** 0.5
        return np.concatenate([[residuals.max(), angle], values])


class Gram:
    """NumPy's product (BLAS takes half of it by symmetry), then the wanted eigenpairs by LAPACK."""

    def __init__(self, task):
        import numpy
        import scipy.linalg

        self.task, self.version = task, f"numpy {numpy.__version__}, scipy {scipy.__version__}, {blas(numpy)}"

    def eigenpairs(self, _):
        return self.task.top(self.task.gram())

    def finish(self, _, result):
        return self.task.judge(*result)


class Eigsh(Gram):
    """ARPACK on a LinearOperator that multiplies one vector at a time with X and X^T."""

    def eigenpairs(self, _):
        from scipy.sparse.linalg import LinearOperator, eigsh

        x = self.task.examples
        rows, dim = x.shape

        def product(v):
            return x.T @ (x @ v) / rows

        operator = LinearOperator((dim, dim), matvec=product, dtype=x.dtype)
        values, vectors = eigsh(operator, self.task.k, which="LA", tol=self.task.tolerance)
        order = values.argsort()[::-1]
        return values[order], vectors.T[order]


class RandomizedSvd(Gram):
    """scikit-learn's default: ten vectors more than asked for, 4 or 7 power iterations."""

    def __init__(self, task):
        import sklearn

        super().__init__(task)
        self.version = f"scikit-learn {sklearn.__version__}"

    def eigenpairs(self, _):
        from sklearn.utils.extmath import randomized_svd

        _, values, vectors = randomized_svd(self.task.examples, self.task.k, random_state=1)
        return values**2 / len(self.task.examples), vectors


class Judge:
    """Not a contestant: judges what engram gave."""

    def __init__(self, task):
        self.task, self.version = task, ""

    def eigenpairs(self, _):
        return self.task.judge(*self.task.given)


def blas(numpy):
    """The library and the processor it takes this one for: what decides the time of a product."""
    try:
        from threadpoolctl import threadpool_info

        found = [f"{info['internal_api']} {info['version']} {info.get('architecture', '')}" for info in threadpool_info()]
        return ", ".join(sorted({text for text in found if text.startswith("openblas")}))
    except ImportError:
        return "BLAS unknown"


PEERS = {"gram": Gram, "eigsh": Eigsh, "randomized_svd": RandomizedSvd, "judge": Judge}

serve(Task, PEERS)
