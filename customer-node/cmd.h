/* cmd.h - the commands of handsel-node. */
#ifndef HANDSEL_NODE_CMD_H
#define HANDSEL_NODE_CMD_H

#include "authz.h"
#include "cli.h"

enum cli_exit cmd_init(const struct cli *c);
enum cli_exit cmd_enrol(const struct cli *c);
enum cli_exit cmd_renew(const struct cli *c);
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
enum cli_exit cmd_reconcile(const struct cli *c);
enum cli_exit cmd_node_backup_create(const struct cli *c);
enum cli_exit cmd_node_backup_verify(const struct cli *c);
enum cli_exit cmd_node_backup_restore(const struct cli *c);
enum cli_exit cmd_audit_verify(const struct cli *c);
enum cli_exit cmd_audit_export(const struct cli *c);
enum cli_exit cmd_audit_tail(const struct cli *c);
enum cli_exit cmd_audit_head(const struct cli *c);
enum cli_exit cmd_serve(const struct cli *c);

extern const struct cli_option release_options[], device_options[], init_options[], enrol_options[], request_options[], accept_options[],
	reconcile_options[], serve_options[], audit_verify_options[], audit_export_options[], audit_tail_options[];

/* "operator:NAME" of the person at the terminal, for the audit. */
const char *cmd_actor(void);

/* The revocation lists of the factories as they are kept. NULL on failure; NULL is fine for the others. */
struct crl_view;
struct crl_view *crl_view_open(const char *dir, struct err *e);
void crl_view_close(struct crl_view *v);
bool crl_view_used(const struct crl_view *v);	/* node.yaml names sources */
/* Whether there is a good one of this manufacturer. */
void crl_view_judge(struct crl_view *v, const char *manufacturer, struct crl_word *word);
void crl_view_print(const struct cli *c, struct crl_view *v, const char *manufacturer);	/* NULL: of all */

#endif
