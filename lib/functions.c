#include <config.h>

#include "functions.h"

#include <stdio.h>
#include <string.h>

#include "mem.h"

static const char *const names[] = { "clerk", "ra", "auditor", "administrator" };

struct permission {
	const char *name;
	unsigned functions;
	const char *what;		/* "may not ..." */
};

#define C FUNCTION_CLERK
#define R FUNCTION_RA
#define U FUNCTION_AUDITOR
#define A FUNCTION_ADMINISTRATOR

static const struct permission acts[ACT_COUNT] = {
	[ACT_ORDER_CREATE] = { "order-create", C, "create a work order" },
	[ACT_ORDER_EXTEND] = { "order-extend", C, "extend a work order" },
	[ACT_ORDER_CLOSE] = { "order-close", C, "close a work order" },
	[ACT_ORDER_COMPROMISE] = { "order-compromise", C | A, "close a work order as compromised" },
	[ACT_UNIT_INVITE] = { "unit-invite", R, "invite a unit" },
	[ACT_OPERATOR_INVITE] = { "operator-invite", A, "invite an operator" },
	[ACT_OPERATOR_REVOKE] = { "operator-revoke", A, "end an operator" },
	[ACT_REVOKE] = { "revoke", R, "revoke a certificate" },
	[ACT_TAKEOVER] = { "takeover", R, "give a pending serial to another station" },
	[ACT_REWORK] = { "rework", R, "have a serial issued once more" },
	[ACT_TWO_PERSON] = { "two-person", A, "say what needs two persons" },
	[ACT_HANDOFF] = { "handoff-grant", R, "introduce a customer's node" },
};

static const struct permission asks[ASK_COUNT] = {
	[ASK_ORDERS] = { "orders", C | U | A, "list work orders" },
	[ASK_ORDER] = { "order", C | U | A, "read a work order" },
	[ASK_ISSUED] = { "issued", C | R | U, "list what was issued" },
	[ASK_UNITS] = { "units", R | U | A, "list units" },
	[ASK_OPERATORS] = { "operators", U | A, "list operators" },
	[ASK_ACTIONS] = { "actions", C | R | U | A, "list actions" },
	[ASK_ACTION] = { "action", C | R | U | A, "read an action" },
	[ASK_AUDIT] = { "audit", U, "read the audit" },
	[ASK_HEADS] = { "heads", U, "read the audit" },
	[ASK_STATUS] = { "status", C | R | U | A, "ask how the CA does" },
	[ASK_HANDOFF] = { "handoff", R, "read a handoff" },
};

#undef C
#undef R
#undef U
#undef A

/* ---- sets of names ---- */
/* The next name of a list, 0 at its end. */
static size_t next_name(const char **at, const char *between)
{
	*at += strspn(*at, between);
	return strcspn(*at, between);
}

static bool is_name(const char *at, size_t n, const char *name)
{
	return strlen(name) == n && memcmp(at, name, n) == 0;
}

unsigned functions_parse(const char *text)
{
	unsigned set = 0;

	for (size_t n; (n = next_name(&text, ".")); text += n) {
		unsigned bit = 0;

		for (size_t i = 0; i < ARRAY_LEN(names); i++)
			if (is_name(text, n, names[i]))
				bit = 1u << i;
		if (!bit || (set & bit))
			return 0;
		set |= bit;
	}
	return set;
}

void functions_text(char out[CERT_FUNCTIONS_MAX], unsigned set, const char *between)
{
	size_t at = 0;

	out[0] = 0;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (set & 1u << i)
			at += (size_t)snprintf(out + at, CERT_FUNCTIONS_MAX - at, "%s%s", at ? between : "", names[i]);
}

unsigned functions_of(const struct cert *c)
{
	if (strcmp(c->role, PERSON) == 0)
		return functions_parse(c->functions);
	return strcmp(c->role, "operator") == 0 && !c->functions[0] ? FUNCTIONS_ALL : 0;
}

/* ---- the tables ---- */
const char *act_name(enum act a)
{
	return acts[a].name;
}

const char *ask_name(enum ask_of a)
{
	return asks[a].name;
}

static int find(const struct permission *table, size_t count, const char *name, size_t n)
{
	for (size_t i = 0; i < count; i++)
		if (is_name(name, n, table[i].name))
			return (int)i;
	return -1;
}

int act_parse(const char *name, enum act *a)
{
	int i = find(acts, ACT_COUNT, name, strlen(name));

	*a = i < 0 ? ACT_COUNT : (enum act)i;
	return i < 0 ? -1 : 0;
}

int ask_parse(const char *name, enum ask_of *a)
{
	int i = find(asks, ASK_COUNT, name, strlen(name));

	*a = i < 0 ? ASK_COUNT : (enum ask_of)i;
	return i < 0 ? -1 : 0;
}

int acts_parse(const char *text, unsigned *set)
{
	*set = 0;
	for (size_t n; (n = next_name(&text, " ")); text += n) {
		int i = find(acts, ACT_COUNT, text, n);

		if (i < 0 || (*set & 1u << i))
			return -1;
		*set |= 1u << i;
	}
	return 0;
}

void acts_text(char out[ACTS_TEXT], unsigned set)
{
	size_t at = 0;

	out[0] = 0;
	for (size_t i = 0; i < ACT_COUNT; i++)
		if (set & 1u << i)
			at += (size_t)snprintf(out + at, ACTS_TEXT - at, "%s%s", at ? " " : "", acts[i].name);
}

static int allowed(const struct permission *p, const char *who, unsigned functions, struct err *e)
{
	char needed[CERT_FUNCTIONS_MAX];

	if (p->functions & functions)
		return 0;
	functions_text(needed, p->functions, " or ");
	return err_set(e, REASON_ROLE, "%s may not %s: that takes the function %s", who, p->what, needed);
}

int act_allowed(enum act a, const char *who, unsigned functions, struct err *e)
{
	return allowed(&acts[a], who, functions, e);
}

int ask_allowed(enum ask_of a, const char *who, unsigned functions, struct err *e)
{
	return allowed(&asks[a], who, functions, e);
}
