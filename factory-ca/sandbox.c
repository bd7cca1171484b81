#include <config.h>

#include "sandbox.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "cli.h"
#include "mem.h"

#define CALLS_MAX 512	/* of the kernel: some 460 at this time */

static const char *const names[] = { "files", "token", "network", "off" };
static char *call_names[CALLS_MAX];	/* made ahead: a signal handler cannot allocate */

const char *sandbox_name(enum sandbox s)
{
	return names[s];
}

/* ---- the lists ---- */
/* Databases, certificates, profiles; one socket pair and the socket for `unlock`, which are open; threads; time and chance. */
static const int files[] = {
	SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(pread64), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(pwrite64), SCMP_SYS(lseek),
	SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(close), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(statx),
	SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(getcwd),
	SCMP_SYS(getdents64), SCMP_SYS(fcntl), SCMP_SYS(fsync), SCMP_SYS(fdatasync), SCMP_SYS(ftruncate), SCMP_SYS(fallocate), SCMP_SYS(fchmod),
	SCMP_SYS(fchown), SCMP_SYS(unlink), SCMP_SYS(rename), SCMP_SYS(mkdir), SCMP_SYS(umask),
	SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(brk), SCMP_SYS(madvise), SCMP_SYS(mlock), SCMP_SYS(mlock2), SCMP_SYS(munlock),
	SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(sendto), SCMP_SYS(recvfrom), SCMP_SYS(sendmsg), SCMP_SYS(recvmsg), SCMP_SYS(accept4),
	SCMP_SYS(getsockopt), SCMP_SYS(setsockopt),
	SCMP_SYS(futex), SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(sched_getaffinity), SCMP_SYS(sched_yield), SCMP_SYS(gettid),
	SCMP_SYS(getpid), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(getpgrp), SCMP_SYS(getpgid),
	SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack), SCMP_SYS(restart_syscall),
	SCMP_SYS(time), SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(gettimeofday), SCMP_SYS(getrandom), SCMP_SYS(sysinfo),
	SCMP_SYS(uname), SCMP_SYS(exit), SCMP_SYS(exit_group),
};

/* Modules of tokens: SoftHSM's files, p11-kit's and vendors' daemons behind local sockets, drivers, SysV shared memory. */
static const int token[] = {
	SCMP_SYS(mmap), SCMP_SYS(mprotect), SCMP_SYS(ioctl), SCMP_SYS(connect), SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(shutdown),
	SCMP_SYS(socketpair), SCMP_SYS(sendmmsg), SCMP_SYS(recvmmsg), SCMP_SYS(select), SCMP_SYS(pselect6), SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(eventfd2), SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime),
	SCMP_SYS(pipe2), SCMP_SYS(dup), SCMP_SYS(dup2), SCMP_SYS(dup3), SCMP_SYS(flock), SCMP_SYS(statfs), SCMP_SYS(fstatfs), SCMP_SYS(chmod),
	SCMP_SYS(unlinkat), SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(mkdirat), SCMP_SYS(rmdir), SCMP_SYS(chdir), SCMP_SYS(utimensat),
	SCMP_SYS(shmget), SCMP_SYS(shmat), SCMP_SYS(shmctl), SCMP_SYS(shmdt), SCMP_SYS(semget), SCMP_SYS(semop), SCMP_SYS(semctl),
	SCMP_SYS(semtimedop), SCMP_SYS(getresuid), SCMP_SYS(getresgid), SCMP_SYS(getgroups), SCMP_SYS(getrusage), SCMP_SYS(times),
	SCMP_SYS(getppid), SCMP_SYS(getsid), SCMP_SYS(membarrier), SCMP_SYS(memfd_create),
};

#ifdef __SANITIZE_ADDRESS__
/* AddressSanitizer maps as it likes, and its leak check stops and reads the process from a clone of it. */
static const int sanitizer[] = {
	SCMP_SYS(mmap), SCMP_SYS(mprotect), SCMP_SYS(clone), SCMP_SYS(ptrace), SCMP_SYS(wait4), SCMP_SYS(prctl), SCMP_SYS(arch_prctl), SCMP_SYS(kill),
	SCMP_SYS(tkill), SCMP_SYS(process_vm_readv), SCMP_SYS(pipe), SCMP_SYS(pipe2), SCMP_SYS(dup), SCMP_SYS(dup2), SCMP_SYS(getrusage),
	SCMP_SYS(prlimit64), SCMP_SYS(getrlimit), SCMP_SYS(personality), SCMP_SYS(getppid), SCMP_SYS(set_tid_address), SCMP_SYS(sched_setaffinity), SCMP_SYS(getdents),
};
#endif

static int allow(scmp_filter_ctx ctx, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 0) < 0)
			return -1;
	return 0;
}

/* Those that depend on what they are asked for. */
static int allow_in_part(scmp_filter_ctx ctx)
{
	static const unsigned long requests[] = { TCGETS, TCSETS, TCSETSW, TCSETSF, TIOCGPGRP, FIONREAD };
	const struct scmp_arg_cmp no_code = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
	const struct scmp_arg_cmp thread = SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD);
	const struct scmp_arg_cmp only_look = SCMP_A2(SCMP_CMP_EQ, 0);
	const struct scmp_arg_cmp myself = SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid());

	for (size_t i = 0; i < ARRAY_LEN(requests); i++)
		if (seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_EQ, requests[i])) < 0)
			return -1;
	if (seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, &no_code) < 0 ||
	    seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, &no_code) < 0 ||
	    seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, &thread) < 0 ||
	    seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1, &only_look) < 0 ||
	    seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, &myself) < 0)	/* abort() */
		return -1;
#ifdef ENABLE_FAULT_INJECTION
	/* what fault points do */
	if (seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(kill), 1, &myself) < 0 ||
	    seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(flock), 0) < 0)
		return -1;
#endif
	/* its flags are in memory, where no filter looks: the library then takes clone, whose flags are seen */
	return seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

static int allow_sockets(scmp_filter_ctx ctx, enum sandbox s)
{
	static const int families[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK };
	size_t n = s == SANDBOX_NETWORK ? ARRAY_LEN(families) : 1;

	for (size_t i = 0; i < n; i++)
		if (seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i])) < 0)
			return -1;
	return s == SANDBOX_NETWORK && seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(bind), 0) < 0 ? -1 : 0;
}

static int fill(scmp_filter_ctx ctx, enum sandbox s)
{
	if (allow(ctx, files, ARRAY_LEN(files)) < 0 || allow_in_part(ctx) < 0)
		return -1;
#ifdef __SANITIZE_ADDRESS__
	if (allow(ctx, sanitizer, ARRAY_LEN(sanitizer)) < 0)
		return -1;
#endif
	return s == SANDBOX_FILES ? 0 : allow(ctx, token, ARRAY_LEN(token)) < 0 || allow_sockets(ctx, s) < 0 ? -1 : 0;
}

/* ---- what happens then ---- */
static void say(const char *text)
{
	if (write(STDERR_FILENO, text, strlen(text)) < 0)
		_exit(EXIT_POLICY);
}

static _Noreturn void on_violation(int sig, siginfo_t *info, void *context)
{
	int n = info->si_syscall;

	say("handsel-signer: error: the system call \"");
	say(n >= 0 && n < CALLS_MAX && call_names[n] ? call_names[n] : "unknown");
	say("\" is not allowed to whoever holds the keys: this process is not what it was, or a token's module needs more (handsel-signer(1), SANDBOX);"
	    " it ends\n");
	_exit(EXIT_POLICY);
}

static int catch_violations(struct err *e)
{
	struct sigaction action = { .sa_sigaction = on_violation, .sa_flags = SA_SIGINFO };
	sigset_t set;

	for (int i = 0; i < CALLS_MAX; i++)
		if (!call_names[i])
			call_names[i] = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, i);
	sigemptyset(&action.sa_mask);
	sigemptyset(&set);
	sigaddset(&set, SIGSYS);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	return sigaction(SIGSYS, &action, NULL) < 0 ? err_errno(e, REASON_INTERNAL, "sigaction") : 0;
}

int sandbox_enter(enum sandbox s, struct err *e)
{
	scmp_filter_ctx ctx;
	int rc;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_errno(e, REASON_INTERNAL, "no_new_privs");
	if (s == SANDBOX_OFF)
		return 0;
	if (catch_violations(e) < 0)
		return -1;
	ctx = seccomp_init(SCMP_ACT_TRAP);
	rc = ctx ? fill(ctx, s) : -1;
	if (rc == 0)
		rc = seccomp_load(ctx);
	if (ctx)
		seccomp_release(ctx);
	if (rc == 0)
		return 0;
	return err_set(e, REASON_CONFIG, "this system does not let the signer confine itself (seccomp); if that is meant, write key-sandbox: \"off\" into"
		       " keys.yaml");
}

/* Under a limit, what is locked ahead would leave nothing for what comes. But it is none for who has CAP_IPC_LOCK, as containers are
 * often given it; that one alone may lock anything under a limit of nothing, so that the kernel tells. */
static bool lock_by_capability(const struct rlimit *now)
{
	const struct rlimit nothing = { 0, now->rlim_max };
	bool locked = setrlimit(RLIMIT_MEMLOCK, &nothing) == 0 && mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0;

	setrlimit(RLIMIT_MEMLOCK, now);
	return locked;
}

bool sandbox_lock_memory(void)
{
	const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	struct rlimit now;

	if (getrlimit(RLIMIT_MEMLOCK, &now) == 0 && now.rlim_cur != RLIM_INFINITY && setrlimit(RLIMIT_MEMLOCK, &all) < 0)
		return lock_by_capability(&now);
	return mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0;
}

#ifdef ENABLE_FAULT_INJECTION
void sandbox_break_out(const char *how)
{
	char *const argv[] = { NULL };

	if (strcmp(how, "socket") == 0)
		socket(AF_INET, SOCK_STREAM, 0);
	else if (strcmp(how, "execve") == 0)
		execve("/bin/true", argv, argv);
	else if (strcmp(how, "code") == 0)
		(void)mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	else if (strcmp(how, "ptrace") == 0)
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}
#endif
