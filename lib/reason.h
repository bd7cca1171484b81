/* reason.h - the reason codes, one list for all programs: see reason.def. */
#ifndef HANDSEL_REASON_H
#define HANDSEL_REASON_H

enum reason {
	REASON_OK = 0,
#define REASON(number, symbol, name, text, who, action) REASON_##symbol = number,
#include "reason.def"
#undef REASON
};

struct reason_info {
	enum reason code;
	const char *id;		/* "E21" */
	const char *name;	/* "not-listed" */
	const char *text;	/* what happened */
	const char *who;	/* who acts */
	const char *action;	/* what to do */
};

/* Never NULL: an unknown code gives the entry of REASON_INTERNAL. */
const struct reason_info *reason_info(enum reason code);
const char *reason_id(enum reason code);

/* The code that "E21" names; REASON_OK if it names none. */
enum reason reason_parse(const char *id);

#endif
