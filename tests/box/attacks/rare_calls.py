from common import system_call

NUMBERS = {
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "bpf": 321,
    "perf_event_open": 298,
    "userfaultfd": 323,
    "add_key": 248,
    "request_key": 249,
    "keyctl": 250,
    "personality": 135,
    "modify_ldt": 154,
    "kexec_load": 246,
    "init_module": 175,
    "delete_module": 176,
    "acct": 163,
    "swapon": 167,
    "reboot": 169,
    "syslog": 103,
    "iopl": 172,
    "ioperm": 173,
    "quotactl": 179,
    "fanotify_init": 300,
    "inotify_init": 253,
    "name_to_handle_at": 303,
    "move_pages": 279,
    "set_mempolicy": 238,
    "mbind": 237,
    "settimeofday": 164,
    "adjtimex": 159,
    "clock_settime": 227,
    "sethostname": 170,
    "setdomainname": 171,
    "vmsplice": 278,
    "landlock_create_ruleset": 444,
    "seccomp": 317,
    "pidfd_getfd": 438,
    "process_madvise": 440,
    "process_mrelease": 448,
    "futex_wake": 454,
    "map_shadow_stack": 453,
    "cachestat": 451,
    "statmount": 457,
    "listmount": 458,
    "mseal": 462,
    "memfd_secret": 447,
    "futex_wait": 455,
    "futex_requeue": 456,
    "lsm_get_self_attr": 459,
    "lsm_list_modules": 461,
    "setxattrat": 463,
    "getxattrat": 464,
    "open_tree_attr": 467,
    "file_getattr": 468,
    "file_setattr": 469,
    "pidfd_open": 434,
    "kcmp": 312,
    "rt_sigqueueinfo": 129,
    "remap_file_pages": 216,
    "io_pgetevents": 333,
    "fsconfig": 431,
    "mount_setattr": 442,
    "quotactl_fd": 443,
    "set_mempolicy_home_node": 450,
    "mincore": 27,
}


def attack(facts):
    """What no training needs. Only the answer matters: arguments of zeros give EPERM, ENOSYS and not EINVAL, EFAULT."""
    import errno

    found = {}
    for name, number in NUMBERS.items():
        try:
            system_call(number, 0, 0, 0, 0, 0, 0)
        except OSError as error:
            if error.errno in (errno.EPERM, errno.ENOSYS):
                continue
            found[name] = errno.errorcode[error.errno]
        else:
            found[name] = "done"
    return found
