"""The box: where the student's code runs. This package is the only code that touches the operating system's isolation.

Theory of operation
===================

Two processes. The **judge** (this package's `client`, in the process that runs `grade` or pytest) is trusted. The
**worker** (`worker`, a fresh Python process) holds the student's module and is not: after the student's first line has
run, everything it says is a claim.

::

    judge ──── channel: one stream socket, frames both ways ────▶ worker ── imports and calls the student's module
      ▲  ◀──────────────────────────────────────────────────────     │
      └── output: one pipe, the worker's fd 1 and fd 2 together ◀─────┘     stdin is the null device

1. `backends.start` makes the channel, starts the worker with a clean environment in a scratch folder of its own, and
   returns at once: the judge goes on importing while the worker does. The worker's Python may be another one than the
   judge's (`interpreter`): its own packages, the worker's files and msgspec are all that it can import.
2. The judge sends `Load` with the submission's files. The worker lowers its own limits, writes the files to its scratch
   folder, imports the module and answers `Loaded` or `Raised`.
3. The judge sends `Get`, `Set`, `Call`, `Put`, `Release` or `Sync`, one at a time, and waits for the answer with the
   same id. Values cross as in `protocol`: a small typed header and raw array bytes, never pickle.
4. Objects that can't cross stay in the worker; the judge gets a `Handle` with the box's generation.
5. Everything printed goes to the output pipe. A thread of the judge drains it, keeps the tail and counts the bytes.
6. Whatever goes wrong (deadline, memory, flood, exit, crash, garbage) ends in one place, `client.BoxClient`: the whole
   process tree is killed, and `BoxDied` says what the evidence is: our own clock, counters, and the exit status.

Descriptors of the worker: 0 null device, 1 and 2 output pipe, one socket (the channel). Of the judge: its end of each.

Four backends, one interface (`backends.Started`); `probe` finds out by trying which of them this machine has.

`process` (`plain`): it guards against accidents on a student's own laptop, not against attacks. It promises that the
judge survives, that limits end what they bound, and that no verdict can be forged through the channel; it does not hide
the file system or the network.

`namespaces` (`sealed`): two more processes for each box, and one zygote for all of them.

::

    judge ── control ──▶ zygote (jailed, warm, trusted with nothing) ── fork ──▶ init ── fork ──▶ worker
      ▲                     │ pidfd                                              │ exit status
      └──── status socket, one a box ◀───────────────────────────────────────────┘

The zygote (`zygote`) enters namespaces and a root of its own before it imports a framework, and never sees a byte of
the student's. Init (`init`) is pid 1 of the box's pid namespace: it reaps, answers system calls that the filter
refuses, tells the judge of those and how the worker ended, and everything ends with it. The worker is the same as
above; between its fork and its first request stand the layers of `seal`, each of them a module of `linux`. The judge
kills by init's pidfd, so never a stranger who got its number.

In a class run there are many judges, forked for one attempt each, and they share the zygotes: whoever asked for the
run starts them, and lends each judge a copy of the control socket. A box lives no longer than its own judge: the zygote
holds the other end of each status socket, and kills the box whose judge has closed it or is dead. Where a core is idle
whoever forks the judges keeps a spare box (`spares`): sealed, rehearsed, and waiting for the next judge, which gets it
by its own fork.

`bwrap` (`bwrap`): the same init and worker, without a zygote. Debian's bubblewrap makes the namespaces and the root,
and starts Python as pid 1 (`cold`).

`restricted` (`restricted`, `scratch`): no namespaces, and so no init.

::

    judge ── control ──▶ zygote (landlock, no network) ── fork ──▶ worker (landlock, filter, one process for good)
      ▲                     │ pidfd, exit status                     │ scratch folder on the disk, made by the judge
      ├──── status socket, one a box ◀────┘                          │
      └──── the filter's listener, once ◀────────────────────────────┘

The worker's layers are those of `restrict`. It can start no process, so that killing it by its pidfd ends all there is;
the zygote waits for it and tells how it ended. The judge looks at its disk, and at its memory where no group
does, and answers the calls that its filter refuses (`answerer`).
"""
