/* camsg_operator.h - what operators ask and are answered: doc/protocol-ca.md 4.13 to 4.15, 5.12 and 5.13, for camsg_request.c and
 * camsg_reply.c alone. */
#ifndef HANDSEL_CAMSG_OPERATOR_H
#define HANDSEL_CAMSG_OPERATOR_H

#include "camsg.h"
#include "xml.h"

int act_read(const struct xml_node *n, struct ca_request *r, struct err *e);
void act_write(const struct ca_request *r, struct xml_out *w);
int approve_read(const struct xml_node *n, struct ca_request *r, struct err *e);
void approve_write(const struct ca_request *r, struct xml_out *w);
int query_read(const struct xml_node *n, struct ca_request *r, struct err *e);
void query_write(const struct ca_request *r, struct xml_out *w);

int acted_read(const struct xml_node *n, struct ca_answer *a, struct err *e);
void acted_write(const struct ca_answer *a, const char *name, struct xml_out *w);
int page_read(const struct xml_node *n, struct ca_answer *a, struct err *e);
void page_write(const struct ca_answer *a, const char *name, struct xml_out *w);

#endif
