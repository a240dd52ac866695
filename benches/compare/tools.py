"""The tools that compare.py sets side by side: one class a tool, one method a step.

Every method answers (wall seconds, peak resident MiB), or None where the tool has no such step.
Each tool stores without encryption where it can, and with zstd 3 or its own default.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))


def run(cmd, env=None, cwd=None):
    """Runs one command to its end; what others left unwritten is flushed first, off the clock."""
    os.sync()
    start = time.monotonic()
    with tempfile.TemporaryFile() as err:
        child = subprocess.Popen(cmd, env={**os.environ, **(env or {})}, cwd=cwd, stdout=subprocess.DEVNULL, stderr=err)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.monotonic() - start
        child.returncode = code = os.waitstatus_to_exitcode(status)
        if code:
            err.seek(0)
            raise RuntimeError(f"{' '.join(cmd)}: exit {code}: {err.read()[-600:].decode(errors='replace')}")
    return wall, usage.ru_maxrss / 1024


def total(*steps):
    """Commands typed one after the other: times add up, memory does not."""
    return sum(s[0] for s in steps), max(s[1] for s in steps)


class Tool:
    """A tool with its store below `home`. `dedup` marks those that eart is measured against."""

    program = version = None
    dedup = True

    def __init__(self, home):
        self.home, self.store = home, os.path.join(home, "store")

    def init(self):
        os.makedirs(self.store)

    def noop(self, src, n):
        return self.add(src, n)

    def remove_others(self, keep):
        start = time.monotonic()
        for name in os.listdir(self.store):
            path = os.path.join(self.store, name)
            if path != keep:
                shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
        return time.monotonic() - start, 0.0


class Eart(Tool):
    """Two commands a run, as a user types them; the store lies outside the run."""

    program = os.environ.get("EART_BIN", "eart")
    dedup = False

    def env(self):
        return {"EART_DIR": self.store}

    def init(self):
        run([self.program, "init"], self.env(), self.home)

    def add(self, src, n):
        return total(
            run([self.program, "add", "."], self.env(), src),
            run([self.program, "commit", "-m", f"run {n}", "--allow-empty"], self.env(), src),
        )

    def restore(self, out):
        return run([self.program, "checkout", "latest", "--to", out], self.env(), self.home)

    def expire(self):
        return run([self.program, "gc", "--keep", "1"], self.env(), self.home)


class Floor(Tool):
    """No tool: only what none can leave out. Reads and hashes the input while it writes and syncs as many new bytes
    as eart stored; for an unchanged run, looks at every file. `new` is set by compare.py."""

    program, dedup = "b3sum", False
    new = []

    def add(self, src, n):
        out = os.path.join(self.store, f"new-{n}")
        return run([sys.executable, "-S", "-E", os.path.join(HERE, "floor.py"), src, out, str(self.new[n])])

    def noop(self, src, n):
        return run(["find", src, "-printf", "%i %s %T@ %C@ %p\\n"])

    def restore(self, out):
        return None

    def expire(self):
        return None


class Restic(Tool):
    program, version = "restic", "version"

    def env(self):
        return {"RESTIC_PASSWORD": "x", "RESTIC_REPOSITORY": self.store, "RESTIC_CACHE_DIR": f"{self.home}/cache"}

    def init(self):
        run(["restic", "init"], self.env())

    def add(self, src, n):
        return run(["restic", "backup", "--host", "h", "."], self.env(), src)

    def restore(self, out):
        return run(["restic", "restore", "latest", "--target", out], self.env())

    def expire(self):
        return run(["restic", "forget", "--keep-last", "1", "--group-by", "host", "--prune"], self.env())


class Rustic(Tool):
    program = "rustic"

    def env(self):
        return {"RUSTIC_PASSWORD": "x", "RUSTIC_REPOSITORY": self.store, "RUSTIC_CACHE_DIR": f"{self.home}/cache", "RUSTIC_NO_PROGRESS": "true"}

    def init(self):
        run(["rustic", "init"], self.env())

    def add(self, src, n):
        return run(["rustic", "backup", "--host", "h", "."], self.env(), src)

    def restore(self, out):
        return run(["rustic", "restore", "latest", out], self.env())

    def expire(self):
        now = ["--prune", "--instant-delete", "--keep-pack", "0s", "--keep-delete", "0s"]
        return run(["rustic", "forget", "--keep-last", "1", "--group-by", "host", *now], self.env())


class Borg(Tool):
    program = "borg"

    def env(self):
        return {"BORG_REPO": self.store, "BORG_BASE_DIR": f"{self.home}/base", "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes"}

    def init(self):
        run(["borg", "init", "-e", "none"], self.env())

    def add(self, src, n):
        self.last = f"run-{n}-{time.time()}"
        return run(["borg", "create", "-C", "zstd,3", f"::{self.last}", "."], self.env(), src)

    def restore(self, out):
        os.makedirs(out)
        return run(["borg", "extract", f"::{self.last}"], self.env(), out)

    def expire(self):
        return total(run(["borg", "prune", "--keep-last", "1"], self.env()), run(["borg", "compact", "--threshold", "0"], self.env()))


class Bupstash(Tool):
    program = "bupstash"

    def env(self):
        files = {"KEY": "key", "SEND_LOG": "send.log", "QUERY_CACHE": "query.cache"}
        return {"BUPSTASH_REPOSITORY": self.store, **{f"BUPSTASH_{k}": f"{self.home}/{v}" for k, v in files.items()}}

    def init(self):
        run(["bupstash", "init"], self.env())
        run(["bupstash", "new-key", "-o", f"{self.home}/key"])

    def add(self, src, n):
        self.n = n
        return run(["bupstash", "put", "--no-progress", f"run={n}", "."], self.env(), src)

    def restore(self, out):
        os.makedirs(out)
        return run(["bupstash", "restore", "--no-progress", "--into", out, f"run={self.n}"], self.env())

    def expire(self):
        removed = [run(["bupstash", "rm", "--no-progress", f"run={k}"], self.env()) for k in range(self.n)]
        return total(*removed, run(["bupstash", "gc", "--no-progress"], self.env()))


class Conserve(Tool):
    program = "conserve"

    def init(self):
        run(["conserve", "init", self.store])

    def add(self, src, n):
        return run(["conserve", "backup", "--no-progress", self.store, src])

    def restore(self, out):
        return run(["conserve", "restore", "--no-progress", self.store, out])

    def expire(self):
        versions = subprocess.run(["conserve", "versions", "--short", self.store], capture_output=True, text=True, check=True).stdout.split()
        old = [word for version in versions[:-1] for word in ("-b", version)]
        return run(["conserve", "delete", "--no-progress", *old, self.store])


class Casync(Tool):
    program = "casync"

    def add(self, src, n):
        self.index = f"{self.store}/run-{n}.caidx"
        return run(["casync", "make", f"--store={self.store}/default.castr", "--with=unix", self.index, src])

    def restore(self, out):
        return run(["casync", "extract", f"--store={self.store}/default.castr", self.index, out])

    def expire(self):
        for name in os.listdir(self.store):
            if name.endswith(".caidx") and os.path.join(self.store, name) != self.index:
                os.remove(os.path.join(self.store, name))
        return run(["casync", "gc", f"--store={self.store}/default.castr", self.index])


class Git(Tool):
    """git keeps its history: it has no step to expire a run."""

    program = "git"

    def git(self, tree):
        return ["git", "-c", "user.name=n", "-c", "user.email=n@example.com", f"--git-dir={self.store}", f"--work-tree={tree}"]

    def init(self):
        run(["git", "init", "-q", "--bare", self.store])
        run(["git", f"--git-dir={self.store}", "config", "core.bare", "false"])

    def add(self, src, n):
        return total(
            run([*self.git(src), "add", "-A", "-f", "."], cwd=src),
            run([*self.git(src), "commit", "-q", "--allow-empty", "-m", f"run {n}"], cwd=src),
        )

    def restore(self, out):
        os.makedirs(out)
        return run([*self.git(out), "checkout", "-q", "-f", "HEAD", "--", "."], cwd=out)

    def expire(self):
        return None


class TarZstd(Tool):
    program, dedup = "tar", False

    def add(self, src, n):
        self.last = f"{self.store}/run-{n}.tar.zst"
        return run(["tar", "-I", "zstd -3 -T0", "-cf", self.last, "-C", src, "."])

    def restore(self, out):
        os.makedirs(out)
        return run(["tar", "-I", "zstd -d", "-xf", self.last, "-C", out])

    def expire(self):
        return self.remove_others(self.last)


class Cp(Tool):
    program, dedup = "cp", False

    def add(self, src, n):
        self.last = f"{self.store}/run-{n}"
        return run(["cp", "-a", src, self.last])

    def restore(self, out):
        return run(["cp", "-a", self.last, out])

    def expire(self):
        return self.remove_others(self.last)


TOOLS = {
    "eart": Eart, "bupstash": Bupstash, "rustic": Rustic, "restic": Restic, "borg": Borg, "conserve": Conserve,
    "casync": Casync, "git": Git, "tar-zstd": TarZstd, "cp": Cp, "floor": Floor,
}
