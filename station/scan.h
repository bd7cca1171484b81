/* scan.h - what a bar code scanner types: labels, operators' badges, command cards.
 *
 * A scan ends with Enter (CR or LF), or with the suffix of the settings. Prefix and suffix are taken off, and a scan without
 * them is refused, as it is torn or was typed by something else; so are blanks and control characters at both ends. What is
 * left is
 *   CMD:RETRY:SLOT  CMD:SKIP:SLOT  CMD:LOGOUT  CMD:SHIFT	a card
 *   a badge, if the badge's expression fits all of it
 *   a label, if the label's expression (any text, where there is none) fits all of it
 * The first group of an expression is the operator or the serial; without a group it is all of the scan. POSIX extended. */
#ifndef HANDSEL_SCAN_H
#define HANDSEL_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "conf.h"
#include "err.h"

#define SCAN_MAX 200		/* bytes: the densest label in use, a QR code with model and serial, has half of it */
#define SCAN_AFFIX_MAX 16	/* bytes of a prefix or suffix: scanners offer 1 to 10 */
#define SCAN_REGEX_MAX 200	/* bytes: a longer expression is a mistake */
#define SCAN_BADGE_DEFAULT "OP:([A-Za-z0-9._-]+)"

struct scan_settings {		/* all "": the defaults */
	char prefix[SCAN_AFFIX_MAX + 1], suffix[SCAN_AFFIX_MAX + 1];
	char label[SCAN_REGEX_MAX + 1], badge[SCAN_REGEX_MAX + 1];
};
/* `scanner:` of station.yaml; n may be NULL. An expression that does not compile is refused here. Code CONFIG. */
int scan_settings_read(struct scan_settings *s, const struct conf_node *n, struct err *e);

enum scan_kind { SCAN_LABEL, SCAN_BADGE, SCAN_RETRY, SCAN_SKIP, SCAN_LOGOUT, SCAN_SHIFT, SCAN_BAD };

struct scan {
	enum scan_kind kind;
	char text[SCAN_MAX + 1];	/* label, operator or slot */
	struct err error;		/* SCAN_BAD: code LABEL, and what to do */
};

struct scanner;
struct scanner *scanner_new(const struct scan_settings *s);
void scanner_free(struct scanner *s);

/* One byte of any value; true: a scan is complete in *out. Blank lines are none. */
bool scanner_byte(struct scanner *s, uint8_t byte, struct scan *out);
bool scanner_end(struct scanner *s, struct scan *out);	/* the input has ended */

#endif
