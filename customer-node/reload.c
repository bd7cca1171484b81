#include <config.h>

#include <stdlib.h>

#include "allowlist.h"
#include "clock.h"
#include "log.h"
#include "mem.h"
#include "server.h"

struct reload {
	struct writer_job job;		/* first: the writer gives it back */
	struct server *s;
	struct allowlist al;
	int ended;
};

static int run(struct writer_job *job, struct db *db, struct err *e)
{
	struct reload *x = (struct reload *)job;

	return allowlist_apply(db, &x->al, "reload", clock_utc(), &x->ended, e);
}

static void done(struct writer_job *job, int rc, const struct err *e)
{
	struct reload *x = (struct reload *)job;

	if (rc < 0) {
		log_err(e, "the allowlist was not applied; the one before stays in force");
	} else {
		log_info("allowlist in force: %zu entries, %d credentials ended by blocks", x->al.n, x->ended);
		ca_queue_tell(x->s->queue);
	}
	allowlist_free(&x->al);
	free(x);
}

void server_reload(struct server *s)
{
	struct reload *x = mem_new(1, sizeof *x);
	struct makers makers;
	struct buf text = {0};
	char path[FILE_PATH];
	struct err e;

	x->s = s;
	x->job = (struct writer_job){ .run = run, .done = done };
	if (makers_load(&makers, s->dir, &e) < 0 || file_join(path, &e, s->dir, NODE_ALLOWLIST) < 0 ||
	    allowlist_load(&x->al, path, &makers, clock_utc(), &e) < 0) {
		log_err(&e, "the allowlist was not applied; the one before stays in force");
		free(x);
		return;
	}
	for (size_t i = 0; i < x->al.problems.n; i++) {
		problem_text(&x->al.problems.of[i], &text);
		log_warn("%s", buf_text(&text));
	}
	buf_free(&text);
	writer_submit(s->writer, &x->job);
}
