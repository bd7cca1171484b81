/* fault.h - named fault points, built only with --enable-fault-injection.
 *
 * HANDSEL_FAULT=NAME[:N][,NAME[:N]...] ends the process with SIGKILL at the N-th (default first) passing of FAULT("NAME");
 * for FAULT_LOSE it is true at that passing instead. The fault is appended as "NAME:N" to the file that HANDSEL_FAULT_LOG
 * names before it happens: a test whose fault never fired fails. As many faults of the list as this file has lines are over,
 * and the one behind them comes next, counted from then on in each process: what died is started again in the same
 * environment and meets the next fault, or none.
 * HANDSEL_FAULT_FIRED=FILE has each fault of all runs that share it, so that ./check finds a point at which nothing is ever cut.
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
