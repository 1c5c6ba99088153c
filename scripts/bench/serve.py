"""The conversation between the benchmark and its peers in Python: one JSON line each way.

{"load": {...}, "peers": [names]}  -> {"versions": {name: version}, "absent": {name: reason}}
{"peer": name, "turn": [batches]}  -> {"seconds": [for each batch]}
{"peer": name, "answer": batch}    -> {"output": [...]} or {"indices": [...], "scores": [...]}

A peer is a class made from the task. Its method named like the task's kind does what is timed, on one of
task.batches. It has a `version`, and may have finish(batch, result), which makes the answer from what the timed
method returned and is not timed.
"""

import json
import sys
import time


def _load(task, names, peers):
    loaded, absent = {}, {}
    for name in names:
        try:
            loaded[name] = peers[name](task)
        except ImportError as reason:
            absent[name] = str(reason)
    return loaded, absent


def _turn(task, peer, batches):
    call, seconds = getattr(peer, task.kind), []
    for batch in batches:
        start = time.perf_counter()
        call(task.batches[batch])
        seconds.append(time.perf_counter() - start)
    return {"seconds": seconds}


def _answer(task, peer, batch):
    result = getattr(peer, task.kind)(task.batches[batch])
    if hasattr(peer, "finish"):
        result = peer.finish(batch, result)
    if task.kind == "search":
        indices, scores = result
        return {"indices": indices.ravel().tolist(), "scores": scores.ravel().tolist()}
    return {"output": result.ravel().tolist()}


def serve(make_task, peers):
    """Answers requests until the input ends. make_task takes what the load request says."""
    task, loaded = None, {}
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "load" in request:
                task = make_task(**request["load"])
                loaded, absent = _load(task, request["peers"], peers)
                versions = {name: peer.version for name, peer in loaded.items()}
                reply = {"versions": versions, "absent": absent}
            elif "turn" in request:
                reply = _turn(task, loaded[request["peer"]], request["turn"])
            else:
                reply = _answer(task, loaded[request["peer"]], request["answer"])
        except Exception as error:  # reported to the other side, which decides
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), flush=True)
