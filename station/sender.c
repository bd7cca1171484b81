#include <config.h>

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "mem.h"
#include "spool.h"

#define PAUSE_MS 1000		/* the first pause while the MES is away; it doubles */
#define PAUSE_MAX_MS 60000	/* a MES that is back gets all within a minute */
#define LAST_MS 10000		/* how long the end of a run waits for the MES */
#define TELL_MS 500		/* a backlog of thousands is not told one by one */

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

	if (spool_list(se->station->dir, SPOOL_WAITING, &list, &n, &e) < 0)
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

/* deaf: nobody listens there, so that a new record makes the queue longer, no more; the end ends the pause. */
static void wait_for(struct sender *se, int64_t until, bool deaf)
{
	struct pollfd p = { .fd = se->wake, .events = POLLIN };
	uint64_t n;

	for (;;) {
		int64_t left = until < 0 ? -1 : until - clock_mono_ms();

		if ((until >= 0 && left <= 0) || atomic_load(&se->stop))
			return;
		if (poll(&p, 1, (int)left) <= 0 || read(se->wake, &n, sizeof n) < 0)
			continue;
		if (!deaf)
			return;
		tell_of(se, recount(se));
	}
}

static int64_t next_pause(int64_t pause)
{
	return !pause ? PAUSE_MS : pause * 2 < PAUSE_MAX_MS ? pause * 2 : PAUSE_MAX_MS;
}

static void *sender_thread(void *arg)
{
	struct sender *se = arg;
	struct spool_count count = {0};
	int64_t pause = 0;

	for (;;) {
		bool last = atomic_load(&se->stop);
		int64_t until = -1;
		struct err e;

		if (spool_send(se->station, go_on, se, &count, &e) == 0) {
			if (pause && count.taken)
				log_info("the MES takes records again");
			pause = 0;
			if (count.held)
				until = clock_mono_ms() + count.next_ms;
		} else {
			if (!pause)
				log_warn("%s; records wait in %s/spool and are sent again", e.text, se->station->dir);
			pause = next_pause(pause);
			until = clock_mono_ms() + pause;
		}
		tell_of(se, pause ? recount(se) : count.waiting);
		if (last)
			return NULL;
		wait_for(se, until, count.away);
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
