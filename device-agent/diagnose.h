/* diagnose.h - what is between the device and its node, looked at step by step. */
#ifndef HANDSEL_DIAGNOSE_H
#define HANDSEL_DIAGNOSE_H

#include "finding.h"
#include "node.h"
#include "store.h"

/* address NULL: what can be found out without a node. */
void diagnose(const char *dir, const char *address, struct findings *all);

/* Is it HTTP in clear that this answer begins with, as a login page or a proxy gives it? */
bool diagnose_is_proxy(const char *answer, size_t len);

#endif
