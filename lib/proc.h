/* proc.h - processes: children over a socket pair, signals of a daemon, hardening. */
#ifndef HANDSEL_PROC_H
#define HANDSEL_PROC_H

#include <sys/types.h>

#include "err.h"

/* Starts argv[0] (searched for beside this program first, then in PATH) with one end of a socket pair as its descriptor 3;
 * every other descriptor but 0-2 is closed there. A failed exec is reported here. Returns our end or -1. */
int proc_spawn(const char *const argv[], pid_t *pid, struct err *e);

/* Waits for the child up to timeout_ms, then SIGKILL. Exit status, or 128 + signal. */
int proc_wait(pid_t pid, int timeout_ms);

/* Both. The exit status, or -1 with an error if it could not be started. */
int proc_run(const char *const argv[], int timeout_ms, struct err *e);

/* The path of a program that stands beside this one, else its bare name. Static storage per call site is not used: free() it. */
char *proc_sibling(const char *name);

/* No core dumps, not traceable: for processes with keys. */
void proc_harden(void);

/* Blocks SIGTERM, SIGINT, SIGHUP in all threads; call before the first thread. SIGPIPE is ignored. */
void proc_signals_block(void);

/* Waits for one of them, or for fd (-1: none) to become readable, or timeout_ms (-1: for ever). Returns the signal, 0 for fd
 * or time. */
int proc_signals_wait(int fd, int timeout_ms);

#endif
