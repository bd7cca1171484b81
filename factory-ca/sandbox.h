/* sandbox.h - what handsel-signer can still do once it holds the keys: a list of system calls (seccomp), and nothing else; memory that is
 * not swapped. A call that is not on the list ends the process with a message that names it. */
#ifndef HANDSEL_CA_SANDBOX_H
#define HANDSEL_CA_SANDBOX_H

#include <stdbool.h>

#include "err.h"

enum sandbox {
	SANDBOX_FILES,		/* its files, its socket pair, the terminal; no socket, no program, no code but its own */
	SANDBOX_TOKEN,		/* what modules of tokens need besides: local sockets to a daemon, devices, shared memory, more code */
	SANDBOX_NETWORK,	/* the same, and sockets of the internet */
	SANDBOX_OFF
};
const char *sandbox_name(enum sandbox s);	/* "files", "token", "network", "off" */

/* For all threads to come; there is no way back. SANDBOX_OFF: only that no program gets more rights (no_new_privs). */
int sandbox_enter(enum sandbox s, struct err *e);

/* All memory, if the limit for locked memory, or CAP_IPC_LOCK, allows it. False: secrets alone are locked (secret.h). */
bool sandbox_lock_memory(void);

#ifdef ENABLE_FAULT_INJECTION
void sandbox_break_out(const char *how);	/* for tests of builds that are never shipped: "socket", "execve", "code" or "ptrace" */
#endif

#endif
