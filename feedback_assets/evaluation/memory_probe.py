"""Run as a program of its own: prints the bytes of memory that each ONNX file takes once loaded.

It imports nothing of the project, so that the process stays small and its growth is the model's.
"""

import os
import sys
from pathlib import Path

STATM = Path("/proc/self/statm")


def main(paths: list[str]) -> None:
    """Open each file and print by how many bytes the process grew; everything stays open."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # The first session of a process pays for the runtime too.
    held = [onnxruntime.InferenceSession(paths[0], options, providers=["CPUExecutionProvider"])]
    for path in paths:
        before = resident()
        held.append(onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"]))
        sys.stdout.write(f"{max(resident() - before, 0)}\n")


def resident() -> int:
    """Bytes of this process in memory.

    Raises:
        OSError: This system does not tell.
    """
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main(sys.argv[1:])
