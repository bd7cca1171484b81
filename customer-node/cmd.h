/* cmd.h - the commands of handsel-node. */
#ifndef HANDSEL_NODE_CMD_H
#define HANDSEL_NODE_CMD_H

#include "cli.h"

enum cli_exit cmd_init(const struct cli *c);
enum cli_exit cmd_config_check(const struct cli *c);
enum cli_exit cmd_handoff_request(const struct cli *c);
enum cli_exit cmd_handoff_accept(const struct cli *c);
enum cli_exit cmd_import(const struct cli *c);
enum cli_exit cmd_lint(const struct cli *c);
enum cli_exit cmd_plan(const struct cli *c);
enum cli_exit cmd_apply(const struct cli *c);
enum cli_exit cmd_devices(const struct cli *c);
enum cli_exit cmd_devices_release(const struct cli *c);
enum cli_exit cmd_devices_block(const struct cli *c);
enum cli_exit cmd_devices_unblock(const struct cli *c);
enum cli_exit cmd_explain(const struct cli *c);
enum cli_exit cmd_serve(const struct cli *c);

extern const struct cli_option release_options[], device_options[], init_options[], request_options[], accept_options[],
	serve_options[];

/* "operator:NAME" of the person at the terminal, for the audit. */
const char *cmd_actor(void);

#endif
