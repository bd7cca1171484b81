/* diagnose.h - what is between the device and its node, looked at step by step. */
#ifndef HANDSEL_DIAGNOSE_H
#define HANDSEL_DIAGNOSE_H

#include "finding.h"
#include "node.h"
#include "store.h"

/* Called for each step in order; code is REASON_OK unless the finding is bad or in doubt. */
typedef void diagnose_report(void *arg, const char *step, enum finding finding, enum reason code, const char *text);

/* address NULL: what can be found out without a node. The code of the first bad step, or REASON_OK. */
enum reason diagnose(const char *dir, const char *address, diagnose_report *report, void *arg);

/* Is it HTTP in clear that this answer begins with, as a login page or a proxy gives it? */
bool diagnose_is_proxy(const char *answer, size_t len);

#endif
