"""A folder as several machines have it from one NFS server, in the ways in which that is unlike a local disk.

    with nfs(tmp_path, clients=2, seed=1) as folders:     # skips where that cannot be

Each of the folders is what one client has of the same files.  A client shows what it has seen before until that is so
many seconds old: names, that there is no such name, attributes, and which names are in a folder (man nfs: ac, lookupcache).
It sends a request again whose answer was lost: the first one was done, and what is answered is what became of the
second, such as ENOENT or EEXIST.  And a request may come to the server once more when its client has long gone on.

It is a FUSE server (linux/fuse.h, version 7.31) on a folder of this machine, as there need be no NFS.  The kernel
keeps what a client has seen, as it does for NFS.  This file, run as a program, is the server of one client.
"""

import contextlib
import ctypes
import errno
import os
import random
import stat
import struct
import subprocess
import sys
import threading
import time

import pytest

STALE = 0.3
"""Seconds for which a client may show what it has seen."""
REPEATED, LATE = 0.15, 0.05
"""The shares of requests that are sent again as their answer was lost, and that come once more later."""
THREADS = 4

LOOKUP, FORGET, GETATTR, SETATTR, MKNOD, MKDIR, UNLINK, RMDIR = 1, 2, 3, 4, 8, 9, 10, 11
RENAME, LINK, OPEN, READ, WRITE, STATFS, RELEASE, FSYNC = 12, 13, 14, 15, 16, 17, 18, 20
FLUSH, INIT, OPENDIR, READDIR, RELEASEDIR, FSYNCDIR, CREATE = 25, 26, 27, 28, 29, 30, 35
INTERRUPT, DESTROY, BATCH_FORGET, RENAME2 = 36, 38, 42, 45
UNANSWERED = (FORGET, BATCH_FORGET, INTERRUPT)
PARALLEL_DIROPS = 1 << 18
KEEP_CACHE, CACHE_DIR = 1 << 1, 1 << 3
SET_MODE, SET_SIZE, SET_TIMES = 1 << 0, 1 << 3, 0b110011 << 4
ROOT = 1


@contextlib.contextmanager
def nfs(folder, clients=2, seed=1, stale=STALE):
    """The folders of clients of one server, whose files are in `folder`/server; skips where they cannot be."""
    served = folder / "server"
    served.mkdir()
    with contextlib.ExitStack() as stack:
        mounted = []
        for number in range(clients):
            at = folder / f"client{number}"
            at.mkdir()
            argv = [sys.executable, __file__, str(served), str(at), f"{seed}{number}", str(stale)]
            process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            stack.callback(_end, process, at)
            if process.stdout.readline() != "mounted\n":
                pytest.skip(
                    "LOUD: a folder as NFS has it is NOT tried: it takes root, who may mount one, and /dev/fuse"
                )
            mounted.append(at)
        yield mounted


def _end(process, at):
    subprocess.run(["umount", "-l", str(at)], stderr=subprocess.DEVNULL, check=False)
    process.stdin.close()  # the server ends when that does
    process.wait()
    process.stdout.close()


# -- the server ------------------------------------------------------------------------------------------------


class Client:
    """What one client has of the server: file handles by number, as they stay the same when a file is renamed."""

    def __init__(self, served, seed, stale):
        self.chance, self.stale = random.Random(seed), stale
        self.lock = threading.RLock()
        root = os.open(served, os.O_PATH)
        self.nodes = {ROOT: [root, 1]}  # descriptor, how often the kernel has it
        self.numbers = {self.key(os.fstat(root)): ROOT}
        self.open = {}
        self.next = ROOT

    @staticmethod
    def key(status):
        return status.st_dev, status.st_ino

    def fd(self, node):
        """The descriptor of a node.  Raises ESTALE for what was removed, as a server that keeps no state does."""
        fd = self.nodes[node][0]
        if os.fstat(fd).st_nlink == 0:
            raise OSError(errno.ESTALE, "stale")
        return fd

    # -- what is answered --

    def age(self):
        seconds = self.chance.choice([0, self.stale / 10, self.stale])
        return int(seconds), int(seconds % 1 * 1e9)

    def attributes(self, status):
        times = status.st_atime_ns, status.st_mtime_ns, status.st_ctime_ns
        return struct.pack(
            "<6Q10I", status.st_ino, status.st_size, status.st_blocks, *(time // 10**9 for time in times),
            *(time % 10**9 for time in times), status.st_mode, status.st_nlink, status.st_uid, status.st_gid, 0, 4096, 0,
        )  # fmt: skip

    def attr_out(self, fd):
        seconds, nanoseconds = self.age()
        return struct.pack("<QII", seconds, nanoseconds, 0) + self.attributes(os.fstat(fd))

    def entry(self, parent, name):
        """What a name in a folder is; the kernel then has it once more."""
        seconds, nanoseconds = self.age()
        try:
            fd = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=parent)
        except FileNotFoundError:
            return struct.pack("<4Q2I", 0, 0, seconds, 0, nanoseconds, 0) + bytes(88)
        status = os.fstat(fd)
        with self.lock:
            number = self.numbers.get(self.key(status))
            if number is None:
                self.next += 1
                number = self.numbers[self.key(status)] = self.next
                self.nodes[number] = [fd, 0]
            else:
                os.close(fd)
            self.nodes[number][1] += 1
        return struct.pack("<4Q2I", number, 1, seconds, seconds, nanoseconds, nanoseconds) + self.attributes(status)

    def forget(self, number, count):
        with self.lock:
            node = self.nodes[number]
            node[1] -= count
            if node[1] <= 0 and number != ROOT:
                del self.nodes[number], self.numbers[self.key(os.fstat(node[0]))]
                os.close(node[0])

    def opened(self, fd, flags=0):
        with self.lock:
            self.open[fd] = None
        return struct.pack("<QIi", fd, flags, 0)

    # -- requests that change something, which may be repeated --

    def change(self, act, *folders):
        """Do it, and perhaps again: at once, with the second answer, or later, when nobody waits for an answer."""
        time.sleep(self.chance.choice([0, 0, 0.001, 0.003]))
        if self.chance.random() < LATE:
            held = [os.dup(folder) for folder in folders]
            threading.Timer(self.chance.uniform(0, 0.03), self.late, (act, held)).start()
        if self.chance.random() < REPEATED:
            with contextlib.suppress(OSError):
                act(*folders)
            time.sleep(self.chance.choice([0, 0.001, 0.01]))
        act(*folders)

    @staticmethod
    def late(act, folders):
        with contextlib.suppress(OSError):
            if all(os.fstat(folder).st_nlink for folder in folders):
                act(*folders)
        for folder in folders:
            os.close(folder)

    def answer(self, op, node, body):
        """The answer to a request.  Raises OSError."""
        match op:
            case _ if op == INIT:
                return struct.pack(
                    "<4I2H2I2HI7I", 7, 31, 131072, PARALLEL_DIROPS, 16, 12, 131072, 1, 32, 0, 0, *[0] * 7
                )
            case _ if op == LOOKUP:
                return self.entry(self.fd(node), body.split(b"\0")[0])
            case _ if op == FORGET:
                return self.forget(node, *struct.unpack("<Q", body))
            case _ if op == BATCH_FORGET:
                for at in range(8, len(body), 16):
                    self.forget(*struct.unpack_from("<2Q", body, at))
                return None
            case _ if op == GETATTR:
                return self.attr_out(self.fd(node))
            case _ if op == STATFS:
                return struct.pack("<5Q4I6I", 10**6, 10**6, 10**6, 10**6, 10**6, 4096, 255, 4096, 0, *[0] * 6)
            case _ if op in (FLUSH, FSYNC, FSYNCDIR, DESTROY):
                return b""
            case _ if op in (OPEN, OPENDIR, READ, READDIR, WRITE, RELEASE, RELEASEDIR, SETATTR):
                return self.on_file(op, node, body)
            case _ if op in (MKDIR, MKNOD, UNLINK, RMDIR, RENAME, RENAME2, LINK, CREATE):
                return self.on_names(op, node, body)
        raise OSError(errno.ENOSYS, "no such request")

    def on_file(self, op, node, body):
        """What concerns one file or folder that the client knows already."""
        if op in (OPEN, OPENDIR):
            flags = struct.unpack_from("<I", body)[0] & ~(os.O_NOFOLLOW | os.O_CREAT | os.O_EXCL)
            fd = os.open(f"/proc/self/fd/{self.fd(node)}", flags)
            return self.opened(fd, KEEP_CACHE | CACHE_DIR if op == OPENDIR else 0)
        if op == SETATTR:
            valid, _, _, size = struct.unpack_from("<IIQQ", body)
            mode = struct.unpack_from("<I", body, 68)[0]
            path = f"/proc/self/fd/{self.fd(node)}"
            if valid & SET_SIZE:
                os.truncate(path, size)
            if valid & SET_MODE:
                os.chmod(path, stat.S_IMODE(mode))
            if valid & SET_TIMES:
                os.utime(path)
            return self.attr_out(self.fd(node))
        fd, offset, size = struct.unpack_from("<QQI", body)
        if op in (RELEASE, RELEASEDIR):
            os.close(fd)
            return b""
        if op == READ:
            return os.pread(fd, size, offset)
        if op == WRITE:
            return struct.pack("<II", os.pwrite(fd, body[40 : 40 + size], offset), 0)
        return self.names(fd, offset, size)

    def names(self, fd, offset, size):
        """What READDIR answers, from the entry with a number on."""
        found = b""
        for number, name in enumerate([".", "..", *sorted(os.listdir(fd))][offset:], offset + 1):
            encoded = os.fsencode(name)
            entry = struct.pack("<QQII", number + 1000, number, len(encoded), 0) + encoded
            entry += bytes(-len(entry) % 8)
            if len(found) + len(entry) > size:
                break
            found += entry
        return found

    def on_names(self, op, node, body):
        """What makes, renames or removes a name in a folder."""
        parent = self.fd(node)
        if op in (RENAME, RENAME2):
            target, flags = struct.unpack_from("<QI", body) if op == RENAME2 else (*struct.unpack_from("<Q", body), 0)
            if flags:
                raise OSError(errno.EINVAL, "no flags")
            old, new = body[16 if op == RENAME2 else 8 :].split(b"\0")[:2]
            act = lambda here, there: os.rename(old, new, src_dir_fd=here, dst_dir_fd=there)  # noqa: E731
            self.change(act, parent, self.fd(target))
            return b""
        if op in (UNLINK, RMDIR):
            name, remove = body.split(b"\0")[0], os.unlink if op == UNLINK else os.rmdir
            self.change(lambda here: remove(name, dir_fd=here), parent)
            return b""
        if op == LINK:
            source = f"/proc/self/fd/{self.fd(struct.unpack_from('<Q', body)[0])}"
            name = body[8:].split(b"\0")[0]
            self.change(lambda here: os.link(source, name, dst_dir_fd=here, follow_symlinks=True), parent)
            return self.entry(parent, name)
        first, second = struct.unpack_from("<II", body)
        name = body[8 if op == MKDIR else 16 :].split(b"\0")[0]
        if op == MKDIR:
            self.change(lambda here: os.mkdir(name, first, dir_fd=here), parent)
            return self.entry(parent, name)
        if op == MKNOD:
            self.change(lambda here: os.mknod(name, first, dir_fd=here), parent)
            return self.entry(parent, name)
        flags = first & ~os.O_NOFOLLOW | os.O_CREAT
        self.change(lambda here: os.close(os.open(name, flags, second, dir_fd=here)), parent)
        entry = self.entry(parent, name)
        return entry + self.opened(os.open(name, flags & ~(os.O_CREAT | os.O_EXCL), dir_fd=parent))

    def serve(self, device):
        """Answer requests until the folder is no longer mounted."""
        while True:
            try:
                request = os.read(device, 1 << 18)
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.EINTR, errno.EAGAIN):
                    continue  # it was interrupted
                return
            _, op, unique, node = struct.unpack_from("<IIQQ", request)
            try:
                answer, status = self.answer(op, node, request[40:]), 0
            except OSError as error:
                answer, status = b"", -(error.errno or errno.EIO)
            except KeyError:
                answer, status = b"", -errno.ESTALE
            if op not in UNANSWERED:
                with contextlib.suppress(OSError):
                    os.write(device, struct.pack("<IiQ", 16 + len(answer), status, unique) + answer)


def main(served, at, seed, stale):
    """Mount the folder of a client, and serve it until stdin ends."""
    device = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={device},rootmode=40000,user_id={os.getuid()},group_id={os.getgid()},allow_other,default_permissions"
    if ctypes.CDLL(None).mount(b"nfs", os.fsencode(at), b"fuse", 0, options.encode()):
        return
    client = Client(served, seed, float(stale))
    for _ in range(THREADS):
        threading.Thread(target=client.serve, args=(device,), daemon=True).start()
    os.stat(at)
    print("mounted", flush=True)
    sys.stdin.read()
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
