/* mes.h - one record to the plant's MES: a program with the record on its standard input, or an HTTPS POST
 * (doc/protocol-record.md R7). The same record may come twice: the MES knows it by its id. */
#ifndef HANDSEL_MES_H
#define HANDSEL_MES_H

#include <stdbool.h>

#include "conf.h"
#include "file.h"
#include "http.h"

#define MES_ARGS_MAX 16
#define MES_ARG_MAX 256
#define MES_TIMEOUT_MS 30000	/* program or POST: a slow database at the other end, and no more */

struct mes {			/* all zero: there is none */
	char program[MES_ARGS_MAX][MES_ARG_MAX];	/* with its arguments */
	size_t n_program;
	struct url url;		/* host "" if it is a program */
	char ca[FILE_PATH];	/* PEM: the root that the server's certificate is under */
};

int mes_settings(struct mes *m, const struct conf_node *n, struct err *e);	/* `mes:` of station.yaml */
bool mes_is_set(const struct mes *m);

enum mes_answer {
	MES_TAKEN,
	MES_LATER,	/* it failed at this record: keep it and try again */
	MES_AWAY,	/* nobody took it: any other would fare the same now */
	MES_REFUSED,	/* never: somebody has to look at it */
};

struct station;
/* path: the file. *e says why, unless it is taken. */
enum mes_answer mes_send(const struct station *s, const char *id, const char *path, struct err *e);

/* Of mes_program.c: its exit status, 0 taken, 65 refused, else later, away if it cannot be started; what it printed is in the error. */
enum mes_answer mes_run(const struct mes *m, const char *id, const char *path, struct err *e);

#endif
