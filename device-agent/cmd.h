/* cmd.h - the commands of handsel-agent. */
#ifndef HANDSEL_CMD_H
#define HANDSEL_CMD_H

#include "cli.h"

struct store;

enum cli_exit cmd_factory(const struct cli *c);
enum cli_exit cmd_activate(const struct cli *c);
enum cli_exit cmd_renew(const struct cli *c);
enum cli_exit cmd_status(const struct cli *c);
enum cli_exit cmd_check(const struct cli *c);

/* Lifts the process's clock to the floor of a device without a clock: build time, or notBefore of a CA certificate in the
 * store, whichever is later. Never to a time that somebody merely asserts. s may be NULL. */
void floor_apply(const struct store *s);

#endif
