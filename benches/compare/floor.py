"""The floor under storing a run: reads and hashes every file below SRC (b3sum, on all cores), and meanwhile writes
BYTES that do not compress to OUT and syncs them. Nothing is looked up, cut, compressed or listed.

usage: floor.py SRC OUT BYTES
"""
import os
import subprocess
import sys
import threading

SRC, OUT, BYTES = sys.argv[1], sys.argv[2], int(sys.argv[3])


def write():
    block, left = os.urandom(1 << 20), BYTES
    fd = os.open(OUT, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    while left > 0:
        left -= os.write(fd, block[: min(left, len(block))])
    os.fsync(fd)
    folder = os.open(os.path.dirname(OUT), os.O_RDONLY)
    os.fsync(folder)


writer = threading.Thread(target=write)
writer.start()
find = subprocess.Popen(["find", SRC, "-type", "f", "-print0"], stdout=subprocess.PIPE)
hashed = subprocess.run(
    ["xargs", "-0", "-r", "-n", "512", "-P", str(len(os.sched_getaffinity(0))), "b3sum", "--no-names"], stdin=find.stdout, stdout=subprocess.DEVNULL
)
writer.join()
sys.exit(hashed.returncode or find.wait())
