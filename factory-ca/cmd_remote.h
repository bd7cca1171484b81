/* cmd_remote.h - commands of the CA's folder as a person does them over the network (--server, --as). */
#ifndef HANDSEL_CA_CMD_REMOTE_H
#define HANDSEL_CA_CMD_REMOTE_H

#include "hand.h"

enum cli_exit remote_order_create(const struct cli *c);
enum cli_exit remote_order_extend(const struct cli *c);
enum cli_exit remote_order_close(const struct cli *c);
enum cli_exit remote_order_show(const struct cli *c);
enum cli_exit remote_unit_invite(const struct cli *c);
enum cli_exit remote_revoke(const struct cli *c);
enum cli_exit remote_takeover(const struct cli *c);
enum cli_exit remote_rework(const struct cli *c);
enum cli_exit remote_audit_export(const struct cli *c);
enum cli_exit remote_handoff_grant(const struct cli *c);
void handoff_told(const struct cli *c, const char *customer, const char *root);	/* of the folder, too */
enum cli_exit remote_audit_head(const struct cli *c);
enum cli_exit remote_audit_tail(const struct cli *c, uint64_t rows);

#endif
