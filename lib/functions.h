/* functions.h - what persons do for a CA. A person's certificate has the URI SANs handsel:person:NAME and handsel:functions:F.G, the
 * names of his functions with dots between them; a unit of role operator without functions is the local operator of a CA's folder.
 *
 * Which function allows which act and which question is one table each, here; doc/protocol-ca.md 4.13 has it for people. */
#ifndef HANDSEL_FUNCTIONS_H
#define HANDSEL_FUNCTIONS_H

#include "x509.h"

#define PERSON "person"			/* the role */
#define FUNCTIONS_ALL 0xfu
#define FUNCTION_CLERK 1u		/* work orders */
#define FUNCTION_RA 2u			/* units, and what devices hold */
#define FUNCTION_AUDITOR 4u		/* reads everything, changes nothing */
#define FUNCTION_ADMINISTRATOR 8u	/* persons, and the rule of two persons */

/* A set from its text, in any order; 0: a name is unknown or there twice, or there is none. */
unsigned functions_parse(const char *text);
void functions_text(char out[CERT_FUNCTIONS_MAX], unsigned set, const char *between);
/* Of a certificate that was verified: of a person, or all of them for the local operator; 0: of no operator. */
unsigned functions_of(const struct cert *c);

/* What a person's signature is needed for (action.h). */
enum act {
	ACT_ORDER_CREATE, ACT_ORDER_EXTEND, ACT_ORDER_CLOSE, ACT_ORDER_COMPROMISE, ACT_UNIT_INVITE, ACT_OPERATOR_INVITE,
	ACT_OPERATOR_REVOKE, ACT_REVOKE, ACT_TAKEOVER, ACT_REWORK, ACT_TWO_PERSON, ACT_HANDOFF, ACT_COUNT
};
/* What a person may read of a CA. */
enum ask_of {
	ASK_ORDERS, ASK_ORDER, ASK_ISSUED, ASK_UNITS, ASK_OPERATORS, ASK_ACTIONS, ASK_ACTION, ASK_AUDIT, ASK_HEADS, ASK_STATUS, ASK_HANDOFF,
	ASK_COUNT
};

const char *act_name(enum act a);
const char *ask_name(enum ask_of a);
int act_parse(const char *name, enum act *a);		/* -1: there is none */
int ask_parse(const char *name, enum ask_of *a);

#define ACTS_TEXT 256			/* all of them by name, blanks between */
int acts_parse(const char *text, unsigned *set);	/* bits 1 << act; "" = none; -1: a name is unknown or there twice */
void acts_text(char out[ACTS_TEXT], unsigned set);

/* Code ROLE, which names the function that would be needed. */
int act_allowed(enum act a, const char *who, unsigned functions, struct err *e);
int ask_allowed(enum ask_of a, const char *who, unsigned functions, struct err *e);

#endif
