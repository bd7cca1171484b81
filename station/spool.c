#include <config.h>

#include "spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "fault.h"
#include "file.h"
#include "log.h"
#include "mem.h"
#include "record_index.h"

#define PAUSE_MS 1000		/* the first pause while the MES is away; it doubles */
#define PAUSE_MAX_MS 60000	/* a MES that is back gets all within a minute */
#define LAST_MS 10000		/* how long the end of a run waits for the MES */
#define TELL_MS 500		/* a backlog of thousands is not told one by one */

static int folder_of(char folder[FILE_PATH], const char *dir, bool refused, struct err *e)
{
	return file_join(folder, e, dir, refused ? "spool/refused" : "spool");
}

/* ---- what is there ---------------------------------------------------------------------- */

static int by_time(const void *a, const void *b)
{
	const struct spooled *x = a, *y = b;

	if (x->time_ns != y->time_ns)
		return x->time_ns < y->time_ns ? -1 : 1;
	return strcmp(x->id, y->id);
}

static void add_file(int fd, const char *name, struct spooled **list, size_t *n)
{
	struct spooled one = {0};
	struct stat st;

	if (strlen(name) != RECORD_ID_LEN + 5 || strcmp(name + RECORD_ID_LEN, ".json") != 0 || fstatat(fd, name, &st, 0) < 0)
		return;
	memcpy(one.id, name, RECORD_ID_LEN);
	one.time_ns = st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec;
	if (!record_id_valid(one.id))
		return;
	*list = mem_grow(*list, *n + 1, sizeof **list);
	(*list)[(*n)++] = one;
}

int spool_list(const char *dir, bool refused, struct spooled **list, size_t *n, struct err *e)
{
	char folder[FILE_PATH];
	struct dirent *d;
	DIR *handle;

	*list = NULL;
	*n = 0;
	if (folder_of(folder, dir, refused, e) < 0)
		return -1;
	handle = opendir(folder);
	if (!handle)
		return errno == ENOENT ? 0 : err_errno(e, REASON_STORAGE, "cannot read folder %s", folder);
	while ((d = readdir(handle)))
		add_file(dirfd(handle), d->d_name, list, n);
	closedir(handle);
	if (*n)
		qsort(*list, *n, sizeof **list, by_time);
	return 0;
}

int spool_reason(const char *dir, const char *id, char *text, size_t size)
{
	char folder[FILE_PATH], path[FILE_PATH];
	struct buf b = {0};
	struct err e;

	if (folder_of(folder, dir, true, &e) < 0 || records_path(path, folder, id, "txt", &e) < 0 ||
	    file_read(&b, path, 0, &e) < 0)
		return -1;
	snprintf(text, size, "%s", buf_text(&b));
	buf_free(&b);
	return 0;
}

/* ---- moving -------------------------------------------------------------------------------- */

/* First the reason, then the record: one without a reason is never seen. */
static int refuse(const char *dir, const char *id, const char *from, const char *why, struct err *e)
{
	char folder[FILE_PATH], path[FILE_PATH], text[FILE_PATH];

	if (folder_of(folder, dir, true, e) < 0 || file_mkdir(folder, e) < 0 || records_path(path, folder, id, "json", e) < 0 ||
	    records_path(text, folder, id, "txt", e) < 0 || file_replace(text, why, strlen(why), 0644, e) < 0)
		return -1;
	if (rename(from, path) < 0)
		return err_errno(e, REASON_STORAGE, "cannot move %s", from);
	return file_sync_parent(path, e);
}

int spool_put_back(const char *dir, const char *id, struct err *e)
{
	char folder[FILE_PATH], from[FILE_PATH], to[FILE_PATH], text[FILE_PATH], spool[FILE_PATH];

	if (folder_of(folder, dir, true, e) < 0 || folder_of(spool, dir, false, e) < 0 ||
	    records_path(from, folder, id, "json", e) < 0 || records_path(text, folder, id, "txt", e) < 0 ||
	    records_path(to, spool, id, "json", e) < 0)
		return -1;
	if (rename(from, to) < 0)
		return err_errno(e, REASON_CONFIG, "record %s was not refused", id);
	return file_sync_parent(to, e) < 0 ? -1 : file_remove(text, e);
}

/* ---- sending --------------------------------------------------------------------------------- */

static int send_one(const struct station *s, const char *folder, const char *id, struct spool_count *count, struct err *e)
{
	char path[FILE_PATH];
	struct err why = {0};

	if (records_path(path, folder, id, "json", e) < 0)
		return -1;
	if (!file_exists(path))		/* another process was faster */
		return 0;
	switch (mes_send(s, id, path, &why)) {
	case MES_TAKEN:
		FAULT("station.mes.taken");
		count->taken++;
		return file_remove(path, e);
	case MES_REFUSED:
		log_warn("the MES refuses record %s: %s; handsel-station queue retry sends it again", id, why.text);
		count->refused++;
		return refuse(s->dir, id, path, why.text, e);
	default:
		*e = why;
		return -1;
	}
}

int spool_send(const struct station *s, bool (*go_on)(void *arg, size_t waiting), void *arg, struct spool_count *count,
	       struct err *e)
{
	struct spooled *list;
	char folder[FILE_PATH];
	size_t n, i = 0;
	int fd, rc;

	memset(count, 0, sizeof *count);
	if (folder_of(folder, s->dir, false, e) < 0 || spool_list(s->dir, false, &list, &n, e) < 0)
		return -1;
	fd = n ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	rc = n && fd < 0 ? err_errno(e, REASON_STORAGE, "cannot open folder %s", folder) : 0;
	for (; rc == 0 && i < n && (!go_on || go_on(arg, n - i)); i++) {
		flock(fd, LOCK_EX);
		rc = send_one(s, folder, list[i].id, count, e);
		flock(fd, LOCK_UN);
	}
	if (fd >= 0)
		close(fd);
	count->waiting = (unsigned)(n - i + (rc < 0));
	free(list);
	return rc;
}

/* ---- the thread ---------------------------------------------------------------------------------- */

struct sender {
	const struct station *station;
	int wake;		/* eventfd */
	atomic_bool stop;
	_Atomic int64_t last;	/* clock_mono_ms(): the end of the run waits no longer */
	void (*tell)(void *arg, size_t waiting);
	void *arg;
	int64_t told;		/* clock_mono_ms() */
	pthread_t thread;
};

static void tell_of(struct sender *se, size_t waiting)
{
	se->told = clock_mono_ms();
	se->tell(se->arg, waiting);
}

static size_t recount(struct sender *se)
{
	struct spooled *list;
	struct err e;
	size_t n = 0;

	if (spool_list(se->station->dir, false, &list, &n, &e) < 0)
		log_err(&e, "the records for the MES");
	free(list);
	return n;
}

static bool go_on(void *arg, size_t waiting)
{
	struct sender *se = arg;

	if (clock_mono_ms() - se->told >= TELL_MS)
		tell_of(se, waiting);
	return !atomic_load(&se->stop) || clock_mono_ms() < atomic_load(&se->last);
}

static void wait_for(struct sender *se, int64_t until)
{
	struct pollfd p = { .fd = se->wake, .events = POLLIN };
	uint64_t n;

	/* While the MES is away new records make the queue longer, no more; the end does. */
	for (;;) {
		int64_t left = until < 0 ? -1 : until - clock_mono_ms();

		if ((until >= 0 && left <= 0) || atomic_load(&se->stop))
			return;
		if (poll(&p, 1, (int)left) <= 0 || read(se->wake, &n, sizeof n) < 0)
			continue;
		if (until < 0)
			return;
		tell_of(se, recount(se));
	}
}

static void *sender_thread(void *arg)
{
	struct sender *se = arg;
	int64_t pause = 0;

	for (;;) {
		bool last = atomic_load(&se->stop);
		struct spool_count count;
		struct err e;

		if (spool_send(se->station, go_on, se, &count, &e) == 0) {
			if (pause)
				log_info("the MES takes records again");
			pause = 0;
		} else {
			if (!pause)
				log_warn("%s; records wait in %s/spool and are sent again", e.text, se->station->dir);
			pause = !pause ? PAUSE_MS : pause * 2 < PAUSE_MAX_MS ? pause * 2 : PAUSE_MAX_MS;
		}
		tell_of(se, pause ? recount(se) : count.waiting);
		if (last)
			return NULL;
		wait_for(se, pause ? clock_mono_ms() + pause : -1);
		if (pause && atomic_load(&se->stop))
			return NULL;
	}
}

struct sender *sender_start(const struct station *s, void (*tell)(void *arg, size_t waiting), void *arg)
{
	struct sender *se = mem_new(1, sizeof *se);

	se->station = s;
	se->tell = tell;
	se->arg = arg;
	se->told = clock_mono_ms();
	se->wake = eventfd(0, EFD_CLOEXEC);
	if (se->wake >= 0 && pthread_create(&se->thread, NULL, sender_thread, se) == 0)
		return se;
	log_error("records wait in %s/spool: no thread can be started that sends them to the MES", s->dir);
	if (se->wake >= 0)
		close(se->wake);
	free(se);
	return NULL;
}

void sender_wake(struct sender *se)
{
	uint64_t one = 1;

	if (se && write(se->wake, &one, sizeof one) < 0)
		log_debug("the sender is awake already");
}

size_t sender_stop(struct sender *se)
{
	size_t waiting;

	if (!se)
		return 0;
	atomic_store(&se->last, clock_mono_ms() + LAST_MS);
	atomic_store(&se->stop, true);
	sender_wake(se);
	pthread_join(se->thread, NULL);
	waiting = recount(se);
	close(se->wake);
	free(se);
	return waiting;
}
