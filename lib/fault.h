/* fault.h - named fault points, built only with --enable-fault-injection.
 *
 * HANDSEL_FAULT=NAME[:N] ends the process with SIGKILL at the N-th (default first) passing of FAULT("NAME");
 * for FAULT_LOSE it is true at that passing instead. The name is appended to the file that
 * HANDSEL_FAULT_LOG names before the fault happens: a test whose fault never fired fails. A fault that the file
 * names already does not happen again, so that what died can be started again in the same environment.
 * HANDSEL_FAULT_LIST=FILE makes a run append "NAME PID" for every point that it passes, so that tests find them all. */
#ifndef HANDSEL_FAULT_H
#define HANDSEL_FAULT_H

#ifdef ENABLE_FAULT_INJECTION
void fault_point(const char *name);
int fault_lose(const char *name);
#define FAULT(name) fault_point(name)
#define FAULT_LOSE(name) fault_lose(name)
#else
#define FAULT(name) ((void)0)
#define FAULT_LOSE(name) 0
#endif

#endif
