/* test_record.c - what stands in the JSON file of an attempt. */
#include <config.h>

#include "records.h"

#include <jansson.h>
#include <string.h>

#include "crypto_world.h"
#include "file.h"
#include "report.h"
#include "spool.h"
#include "unit.h"

static json_t *parsed(const struct record *r)
{
	char *text = record_json(r);
	json_t *o = json_loads(text, 0, NULL);

	CU_ASSERT_PTR_NOT_NULL_FATAL(o);
	free(text);
	return o;
}

static const char *text_of(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s ? s : "(none)";
}

static void test_fail(void)
{
	struct record r;
	json_t *o, *phases;

	record_start(&r, "line-2", "3", "1-4.2", "LINE-7");
	record_phase_add(&r, PHASE_SEEN)->outcome = PHASE_DONE;
	record_phase_add(&r, PHASE_DFU)->outcome = PHASE_FAILED;
	r.phase[1].ms = 1500;
	strcpy(r.phase[1].detail, "E64");
	record_phase_add(&r, PHASE_DFU)->outcome = PHASE_FAILED;
	r.outcome = OUTCOME_FAIL;
	err_set(&r.error, REASON_DEVICE_LEFT, "pulled \"out\" \xff");
	o = parsed(&r);
	CU_ASSERT_STRING_EQUAL(text_of(o, "outcome"), "FAIL");
	CU_ASSERT_STRING_EQUAL(text_of(o, "code"), "E64");
	CU_ASSERT_STRING_EQUAL(text_of(o, "reason"), "device-left");
	CU_ASSERT_STRING_EQUAL(text_of(o, "slot"), "3");
	CU_ASSERT_STRING_EQUAL(text_of(o, "usb_path"), "1-4.2");
	CU_ASSERT_STRING_EQUAL(text_of(o, "order"), "LINE-7");
	CU_ASSERT_STRING_EQUAL(text_of(o, "record_id"), r.id);
	CU_ASSERT_PTR_NULL(json_object_get(o, "device"));
	CU_ASSERT_PTR_NULL(json_object_get(o, "proof"));
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(o, "schema")), RECORD_SCHEMA);

	/* Both tries, then those that did not run. */
	phases = json_object_get(o, "phases");
	CU_ASSERT_EQUAL(json_array_size(phases), PHASES + 1);
	CU_ASSERT_STRING_EQUAL(text_of(json_array_get(phases, 0), "outcome"), "pass");
	CU_ASSERT_STRING_EQUAL(text_of(json_array_get(phases, 1), "name"), "dfu");
	CU_ASSERT_STRING_EQUAL(text_of(json_array_get(phases, 1), "outcome"), "fail");
	CU_ASSERT_DOUBLE_EQUAL(json_real_value(json_object_get(json_array_get(phases, 1), "seconds")), 1.5, 0.0001);
	CU_ASSERT_STRING_EQUAL(text_of(json_array_get(phases, 2), "name"), "dfu");
	for (int i = PHASE_AGENT; i < PHASES; i++) {
		CU_ASSERT_STRING_EQUAL(text_of(json_array_get(phases, (size_t)i + 1), "name"),
				       phase_name((enum phase)i));
		CU_ASSERT_STRING_EQUAL(text_of(json_array_get(phases, (size_t)i + 1), "outcome"), "not-run");
	}
	json_decref(o);
	record_free(&r);
}

static void test_pass(void)
{
	struct record r;
	json_t *o, *proof;

	record_start(&r, "line-2", "3", "1-4.2", "LINE-7");
	for (int i = 0; i < PHASES; i++)
		record_phase_add(&r, (enum phase)i)->outcome = i == PHASE_DFU ? PHASE_SKIPPED : PHASE_DONE;
	strcpy(r.hello.device.manufacturer, "Acme Devices");
	strcpy(r.hello.device.model, "gateway-b");
	strcpy(r.hello.device.serial, "00000001");
	strcpy(r.scanned, "00000001");
	request_id_new(&r.ready.request, 3);
	memset(r.certificate, 0xab, SHA256_LEN);
	memset(r.salt, 3, SHA256_LEN);
	strcpy(r.challenge.station, "line-2");
	memset(r.challenge.nonce, 1, SHA256_LEN);
	memset(r.proof.nonce, 2, SHA256_LEN);
	buf_str(&r.proof.certificate, "leaf");
	buf_str(&r.proof.issuer, "issuer");
	buf_str(&r.proof.signature, "signature");
	r.outcome = OUTCOME_PASS;
	o = parsed(&r);
	CU_ASSERT_STRING_EQUAL(text_of(o, "outcome"), "PASS");
	CU_ASSERT_PTR_NULL(json_object_get(o, "code"));
	CU_ASSERT_STRING_EQUAL(text_of(json_object_get(o, "device"), "serial"), "00000001");
	CU_ASSERT_STRING_EQUAL(text_of(o, "scanned_serial"), "00000001");
	CU_ASSERT_STRING_EQUAL(text_of(o, "request_id"), r.ready.request.id);
	CU_ASSERT(strncmp(text_of(o, "certificate_sha256"), "ababab", 6) == 0);
	proof = json_object_get(o, "proof");
	CU_ASSERT_STRING_EQUAL(text_of(proof, "certificate"), "bGVhZg==");
	CU_ASSERT_STRING_EQUAL(text_of(proof, "station"), "line-2");
	CU_ASSERT(strncmp(text_of(proof, "device_nonce"), "0202", 4) == 0);
	CU_ASSERT_EQUAL(json_array_size(json_object_get(o, "phases")), PHASES);
	json_decref(o);
	record_free(&r);
}

/* What was written is read again, to the same bytes and the same nonce. */
static void test_round_trip(void)
{
	uint8_t nonce[SHA256_LEN], again[SHA256_LEN];
	struct record r, back;
	struct err e;
	char *text, *second;

	record_start(&r, "line-2", "3", "1-4.2", "LINE-7");
	for (int i = 0; i < PHASE_RECORD; i++)
		record_phase_add(&r, (enum phase)i)->outcome = PHASE_DONE;
	record_phase_add(&r, PHASE_PROOF)->outcome = PHASE_FAILED;
	strcpy(r.hello.device.manufacturer, "Acme Devices");
	strcpy(r.hello.device.model, "gateway-b");
	strcpy(r.hello.device.serial, "00000001");
	strcpy(r.hello.revision, "C");
	strcpy(r.hello.agent_version, "1.0");
	strcpy(r.boot_serial, "a\x7f\nb\"\\\xff");
	strcpy(r.scanned, "00000001");
	strcpy(r.operator, "4711");
	strcpy(r.taken_from, "line-1");
	r.audit = (struct audit_head){ .history = 1, .at.n = 812, .time = r.start, .len = 2, .signature = "s" };
	r.cuts = 2;
	r.cut_phase = PHASE_ISSUE;
	r.cut_time = r.start + 30;
	request_id_new(&r.ready.request, 4294967295);
	r.ready.mode = MODE_CA;
	memset(r.salt, 7, sizeof r.salt);
	strcpy(r.challenge.station, "line-2");
	buf_str(&r.proof.certificate, "leaf");
	buf_str(&r.proof.issuer, "issuer");
	buf_str(&r.proof.signature, "signature");
	r.end = r.start + 60;
	r.outcome = OUTCOME_TIMEOUT;
	err_set(&r.error, REASON_AGENT, "no answer");
	record_nonce(&r, nonce);
	text = record_json(&r);
	CU_ASSERT_EQUAL_FATAL(record_read(&back, again, text, strlen(text), &e), 0);
	CU_ASSERT_EQUAL(memcmp(nonce, again, SHA256_LEN), 0);
	CU_ASSERT_STRING_EQUAL(back.boot_serial, "a??b\"\\?");
	CU_ASSERT_EQUAL(back.ready.request.generation, 4294967295);
	CU_ASSERT(back.cuts == 2 && back.cut_phase == PHASE_ISSUE && back.cut_time == r.cut_time);
	CU_ASSERT_STRING_EQUAL(back.operator, "4711");
	CU_ASSERT_EQUAL(memcmp(&back.audit, &r.audit, sizeof r.audit), 0);
	second = record_json(&back);
	CU_ASSERT_STRING_EQUAL(text, second);

	/* What comes after the challenge changes nothing, what was before it does. */
	r.end++;
	r.outcome = OUTCOME_PASS;
	record_nonce(&r, again);
	CU_ASSERT_EQUAL(memcmp(nonce, again, SHA256_LEN), 0);
	strcpy(r.slot, "4");
	record_nonce(&r, again);
	CU_ASSERT_NOT_EQUAL(memcmp(nonce, again, SHA256_LEN), 0);
	free(text);
	free(second);
	record_free(&r);
	record_free(&back);
}

static void refused(const char *text, const char *why)
{
	uint8_t nonce[SHA256_LEN];
	struct record r;
	struct err e = {0};

	CU_ASSERT_EQUAL(record_read(&r, nonce, text, strlen(text), &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_REQUEST);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, why));
	record_free(&r);
}

/* Each line of a good record in turn is taken away, doubled, or given another value. */
static void test_mutations(void)
{
	struct record r;
	json_t *o, *copy;
	const char *name;
	json_t *value;
	char *text;

	refused("", "line 1");
	refused("[]", "no object");
	refused("{\"schema\": 1, \"schema\": 1}", "duplicate");
	refused("{\"schema\": 2}", "schema");
	record_start(&r, "line-2", "3", "1-4.2", "LINE-7");
	r.outcome = OUTCOME_ERROR;
	err_set(&r.error, REASON_STORAGE, "full");
	o = parsed(&r);
	json_object_foreach(o, name, value) {
		if (strcmp(name, "tool_version") == 0 || strcmp(name, "reason") == 0)
			continue;	/* for people only */
		for (int twice = 0; twice < 2; twice++) {
			copy = json_copy(o);
			if (twice)
				json_object_set_new(copy, name, json_null());
			else
				json_object_del(copy, name);
			text = json_dumps(copy, 0);
			if (twice || (strcmp(name, "code") != 0 && strcmp(name, "text") != 0))
				refused(text, name);
			free(text);
			json_decref(copy);
		}
	}
	json_decref(o);
	record_free(&r);
}

static void test_outcomes(void)
{
	for (enum outcome o = OUTCOME_PASS; o < OUTCOMES; o++)
		CU_ASSERT_EQUAL(outcome_parse(outcome_name(o)), o);
	CU_ASSERT_EQUAL(outcome_parse("NONE"), OUTCOME_NONE);
	CU_ASSERT_EQUAL(outcome_of(PHASE_DFU, REASON_USB, false, false), OUTCOME_FAIL);
	CU_ASSERT_EQUAL(outcome_of(PHASE_DFU, REASON_USB, true, false), OUTCOME_TIMEOUT);
	CU_ASSERT_EQUAL(outcome_of(PHASE_ISSUE, REASON_CA_UNAVAILABLE, true, false), OUTCOME_ERROR);
	CU_ASSERT_EQUAL(outcome_of(PHASE_CHECK, REASON_ORDER, false, false), OUTCOME_FAIL);
	CU_ASSERT_EQUAL(outcome_of(PHASE_ISSUE, REASON_ORDER, false, true), OUTCOME_ERROR);
	CU_ASSERT_EQUAL(outcome_of(PHASE_RECORD, REASON_STORAGE, false, false), OUTCOME_ERROR);
	CU_ASSERT_EQUAL(outcome_of(PHASE_ISSUE, REASON_STORAGE, false, true), OUTCOME_FAIL);
}

static void test_index_line(void)
{
#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define ID "0123456789abcdef0123456789abcdef"
	static const char *const wrong[] = {
		"", ZEROS " " ID " 2026-11-22T14:02:07Z LINE-7 1 PASS", ZEROS "0 " ID " 2026-11-22T14:02:07Z LINE-7 1 PASS " ZEROS,
		ZEROS " " ID " 2026-11-22T14:02:07Z LINE-7 1 PASS " ZEROS " ", ZEROS " " ID " 2026-11-22 LINE-7 1 PASS " ZEROS,
		ZEROS " " ID " 2026-11-22T14:02:07Z LINE-7 1 NONE " ZEROS, ZEROS " ../x 2026-11-22T14:02:07Z LINE-7 1 PASS " ZEROS,
		ZEROS " " ID " 2026-11-22T14:02:07Z ../x 1 PASS " ZEROS, ZEROS " " ID " 2026-11-22T14:02:07Z LINE-7 .x PASS " ZEROS,
	};
	struct index_entry en;
	struct err e;

	CU_ASSERT_EQUAL(index_parse(&en, ZEROS " " ID " 2026-11-22T14:02:07Z LINE-7 - ABORTED " ZEROS, &e), 0);
	CU_ASSERT_EQUAL(en.outcome, OUTCOME_ABORTED);
	CU_ASSERT_STRING_EQUAL(en.id, ID);
	CU_ASSERT_STRING_EQUAL(en.order, "LINE-7");
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		CU_ASSERT_EQUAL(index_parse(&en, wrong[i], &e), -1);
}

/* ---- the folder ------------------------------------------------------------------------ */

struct place {
	struct world *w;
	struct station s;
};

static void place_open(struct place *p)
{
	struct cert_plan plan = plan_unit("station", "line-2");
	struct cert c;

	memset(p, 0, sizeof *p);
	p->w = world_new("records");
	c = make_cert(&plan, p->w->leaf_key, &p->w->unit);
	snprintf(p->s.dir, sizeof p->s.dir, "%s", unit_folder());
	strcpy(p->s.name, "line-2");
	p->s.chain = chain_of(&c, &p->w->unit.cert);
	p->s.key = p->w->leaf_key;
	p->s.trust = p->s.made = p->w->trust;
	cert_free(&c);
}

static void place_close(struct place *p)
{
	unit_remove(p->s.dir);
	chain_free(&p->s.chain);
	world_free(p->w);
}

static void add_label(struct records *rs, enum outcome outcome, const char *label, char id[RECORD_ID_LEN + 1])
{
	struct record r;
	struct err e = {0};

	record_start(&r, "line-2", "3", "1-4.2", "LINE-7");
	strcpy(r.scanned, label);
	r.end = WORLD_NOW;
	r.outcome = outcome;
	if (outcome_has_reason(outcome))
		err_set(&r.error, REASON_USB, "stalled");
	CU_ASSERT_EQUAL(records_add(rs, &r, &e), 0);
	strcpy(id, r.id);
	record_free(&r);
}

static void add(struct records *rs, enum outcome outcome, char id[RECORD_ID_LEN + 1])
{
	add_label(rs, outcome, "", id);
}

struct seen {
	const struct station *s;
	unsigned n, good, follow;
	char last[RECORD_ID_LEN + 1];
};

static int see(void *arg, const struct index_entry *en, bool follows, struct err *e)
{
	struct seen *s = arg;
	struct record r;
	struct err why;

	s->n++;
	s->follow += follows;
	if (records_verify(s->s->dir, s->s->made, en, &r, &why) == 0)
		s->good++;
	strcpy(s->last, en->id);
	record_free(&r);
	return 0;
}

static struct seen look(const struct place *p)
{
	struct seen s = { .s = &p->s };
	struct err e = {0};

	CU_ASSERT_EQUAL(records_each(p->s.dir, see, &s, &e), 0);
	return s;
}

static const char *in(const struct place *p, const char *name)
{
	static char path[2][2 * FILE_PATH];
	static int n;

	n = !n;
	snprintf(path[n], sizeof path[n], "%s/records/%s", p->s.dir, name);
	return path[n];
}

/* Every place where a cut can leave the folder: before the line, within it, and behind it. */
static void test_cuts(void)
{
	char first[RECORD_ID_LEN + 1], second[RECORD_ID_LEN + 1], json[64], p7[64];
	struct buf index = {0};
	struct records *rs;
	struct place p;
	struct seen s;
	struct err e;

	place_open(&p);
	rs = records_open(&p.s, false, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(rs);
	add(rs, OUTCOME_FAIL, first);
	add(rs, OUTCOME_ABORTED, second);
	records_close(rs);
	s = look(&p);
	CU_ASSERT(s.n == 2 && s.good == 2 && s.follow == 2 && strcmp(s.last, second) == 0);

	snprintf(json, sizeof json, "%s.json", second);
	snprintf(p7, sizeof p7, "%s.p7", second);
	CU_ASSERT_EQUAL(file_read(&index, in(&p, "index"), 0, &e), 0);
	for (size_t len = strcspn(buf_text(&index), "\n") + 1; len <= index.len; len++) {
		/* as it was while the second record was written, its line cut after len bytes */
		CU_ASSERT_EQUAL(file_replace(in(&p, "index"), index.data, len, 0644, &e), 0);
		if (file_exists(in(&p, p7)))
			CU_ASSERT_EQUAL(rename(in(&p, p7), in(&p, "pending.p7")), 0);
		unlink(in(&p, json));
		if (len < index.len)	/* for the next length */
			shell("cp '%s' '%s.kept'", in(&p, "pending.p7"), in(&p, "pending.p7"));
		rs = records_open(&p.s, false, &e);
		CU_ASSERT_PTR_NOT_NULL_FATAL(rs);
		records_close(rs);
		s = look(&p);
		CU_ASSERT(s.n == (len < index.len ? 1u : 2u) && s.good == s.n && s.follow == s.n);
		CU_ASSERT_EQUAL(file_exists(in(&p, "pending.p7")), 0);
		CU_ASSERT_EQUAL(file_exists(in(&p, json)), len == index.len);
		if (len < index.len)
			shell("mv '%s.kept' '%s'", in(&p, "pending.p7"), in(&p, "pending.p7"));
	}
	buf_free(&index);
	place_close(&p);
}

/* Never a PASS without a proof, never one id twice, and no folder where no folder can be. */
static void test_refused_records(void)
{
	struct records *rs;
	struct record r;
	struct place p;
	struct err e;

	place_open(&p);
	rs = records_open(&p.s, true, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(rs);
	record_start(&r, "line-2", "3", "1-4.2", "LINE-7");
	r.outcome = OUTCOME_PASS;
	CU_ASSERT_EQUAL(records_add(rs, &r, &e), -1);
	r.outcome = OUTCOME_SKIPPED;
	CU_ASSERT_EQUAL(records_add(rs, &r, &e), 0);
	CU_ASSERT_EQUAL(records_add(rs, &r, &e), -1);
	CU_ASSERT_EQUAL(look(&p).n, 1);
	record_free(&r);
	records_close(rs);
	unit_remove(p.s.dir);
	CU_ASSERT_PTR_NULL(records_open(&p.s, false, &e));
	place_close(&p);
}

/* ---- the MES ---------------------------------------------------------------------------- */

#define SHIFT 300	/* units of a shift without the MES */

static int same_at_mes(void *arg, const struct index_entry *en, bool follows, struct err *e)
{
	const struct place *p = arg;
	struct buf ours = {0}, theirs = {0};
	char path[2 * FILE_PATH];

	snprintf(path, sizeof path, "%s/mes-%s", p->s.dir, en->id);
	CU_ASSERT_EQUAL(records_load(p->s.dir, en->id, "json", &ours, e), 0);
	CU_ASSERT_EQUAL(file_read(&theirs, path, 0, e), 0);
	CU_ASSERT(ours.len > 0 && buf_same(&ours, &theirs));
	buf_free(&ours);
	buf_free(&theirs);
	return 0;
}

static void test_shift_without_mes(void)
{
	char id[RECORD_ID_LEN + 1];
	struct spool_count count = {0};
	struct spooled *list;
	struct records *rs;
	struct place p;
	struct err e;
	size_t n;

	place_open(&p);
	strcpy(p.s.mes.program[0], "/bin/false");
	p.s.mes.n_program = 1;
	rs = records_open(&p.s, true, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(rs);
	for (int i = 0; i < SHIFT; i++)
		add(rs, i % 9 ? OUTCOME_SKIPPED : OUTCOME_FAIL, id);
	records_close(rs);
	CU_ASSERT_EQUAL(spool_send(&p.s, NULL, NULL, &count, &e), -1);
	CU_ASSERT(count.taken == 0 && count.waiting == SHIFT && count.held == SPOOL_FAILS_MAX);
	CU_ASSERT(count.next_ms > 0 && count.next_ms <= 2000);
	CU_ASSERT_EQUAL(spool_list(p.s.dir, SPOOL_WAITING, &list, &n, &e), 0);
	for (size_t i = 0; i < n; i++)
		CU_ASSERT_EQUAL(spool_put_back(p.s.dir, list[i].id, &e), 0);
	free(list);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "/bin/false ended with 1"));

	strcpy(p.s.mes.program[0], "sh");
	strcpy(p.s.mes.program[1], "-c");
	strcpy(p.s.mes.program[2], "cat >\"$0/mes-$HANDSEL_RECORD_ID\"");
	CU_ASSERT_EQUAL(text_copy(p.s.mes.program[3], MES_ARG_MAX, p.s.dir), 0);
	p.s.mes.n_program = 4;
	CU_ASSERT_EQUAL(spool_send(&p.s, NULL, NULL, &count, &e), 0);
	CU_ASSERT(count.taken == SHIFT && count.waiting == 0 && count.refused == 0);
	CU_ASSERT_EQUAL(records_each(p.s.dir, same_at_mes, &p, &e), 0);
	CU_ASSERT_EQUAL(spool_list(p.s.dir, SPOOL_WAITING, &list, &n, &e), 0);
	CU_ASSERT_EQUAL(n, 0);
	free(list);
	place_close(&p);
}

/* What the program of the next test has taken, in its order. */
static void taken_are(const struct place *p, const char *const *ids, size_t n)
{
	char path[FILE_PATH];
	struct buf got = {0}, want = {0};
	struct err e;

	for (size_t i = 0; i < n; i++)
		buf_fmt(&want, "%s\n", ids[i]);
	CU_ASSERT_EQUAL(file_join(path, &e, p->s.dir, "taken"), 0);
	file_read(&got, path, 0, &e);
	CU_ASSERT_STRING_EQUAL(buf_text(&got), buf_text(&want));
	buf_free(&got);
	buf_free(&want);
}

/* One record at which the MES fails holds up its own unit, one that it refuses nobody; both are kept, whatever is done to them. */
static void test_failing_record(void)
{
	char first[RECORD_ID_LEN + 1], other[RECORD_ID_LEN + 1], behind[RECORD_ID_LEN + 1], refused[RECORD_ID_LEN + 1], last[RECORD_ID_LEN + 1];
	struct spool_count count = {0};
	struct spool_note note;
	struct records *rs;
	struct place p;
	struct err e;

	place_open(&p);
	strcpy(p.s.mes.program[0], "sh");
	strcpy(p.s.mes.program[1], "-c");
	strcpy(p.s.mes.program[2], "r=$(cat); [ -e \"$0/all\" ] || case $r in *N001*) echo deadlock; exit 9;; *N003*) echo '7 is not known'; exit 65;; esac; "
				   "echo $HANDSEL_RECORD_ID >>\"$0/taken\"");
	CU_ASSERT_EQUAL(text_copy(p.s.mes.program[3], MES_ARG_MAX, p.s.dir), 0);
	p.s.mes.n_program = 4;
	rs = records_open(&p.s, true, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(rs);
	add_label(rs, OUTCOME_FAIL, "N001", first);
	add_label(rs, OUTCOME_FAIL, "N002", other);
	add_label(rs, OUTCOME_SKIPPED, "N001", behind);
	add_label(rs, OUTCOME_FAIL, "N003", refused);
	add_label(rs, OUTCOME_FAIL, "N004", last);
	records_close(rs);
	CU_ASSERT_EQUAL(spool_send(&p.s, NULL, NULL, &count, &e), 0);
	CU_ASSERT(count.taken == 2 && count.refused == 1 && count.waiting == 2 && count.held == 1 && !count.away);
	taken_are(&p, (const char *const[]){ other, last }, 2);
	CU_ASSERT(spool_note(&note, p.s.dir, SPOOL_WAITING, first) && note.tries == 1);
	CU_ASSERT_STRING_EQUAL(note.serial, "N001");
	CU_ASSERT_STRING_EQUAL(note.text, "MES: sh ended with 9: deadlock");
	CU_ASSERT_FALSE(spool_note(&note, p.s.dir, SPOOL_WAITING, behind));
	CU_ASSERT(spool_note(&note, p.s.dir, SPOOL_REFUSED, refused));
	CU_ASSERT_PTR_NOT_NULL(strstr(note.text, "7 is not known"));

	/* It has a pause of its own; what is behind it waits with it. */
	CU_ASSERT_EQUAL(spool_send(&p.s, NULL, NULL, &count, &e), 0);
	CU_ASSERT(count.taken == 0 && count.waiting == 2 && spool_note(&note, p.s.dir, SPOOL_WAITING, first) && note.tries == 1);
	CU_ASSERT_EQUAL(spool_drop(p.s.dir, refused, "by m.r: a test", &e), 0);
	CU_ASSERT(spool_note(&note, p.s.dir, SPOOL_DROPPED, refused));
	CU_ASSERT_STRING_EQUAL(note.text, "by m.r: a test");
	CU_ASSERT_EQUAL(spool_drop(p.s.dir, refused, "twice", &e), -1);
	CU_ASSERT_EQUAL(spool_drop(p.s.dir, first, "by m.r: another", &e), 0);
	CU_ASSERT_EQUAL(spool_send(&p.s, NULL, NULL, &count, &e), 0);	/* its unit is free, and the MES fails at the next */
	CU_ASSERT(count.taken == 0 && count.waiting == 1 && count.held == 1);
	shell("touch '%s/all'", p.s.dir);
	CU_ASSERT_EQUAL(spool_put_back(p.s.dir, first, &e), 0);
	CU_ASSERT_EQUAL(spool_put_back(p.s.dir, behind, &e), 0);
	CU_ASSERT_EQUAL(spool_put_back(p.s.dir, refused, &e), 0);
	CU_ASSERT_EQUAL(spool_put_back(p.s.dir, last, &e), -1);
	CU_ASSERT_EQUAL(spool_send(&p.s, NULL, NULL, &count, &e), 0);
	CU_ASSERT(count.taken == 3 && count.waiting == 0);
	taken_are(&p, (const char *const[]){ other, last, first, behind, refused }, 5);
	place_close(&p);
}

static int settings(struct mes *m, const char *yaml)
{
	struct buf text = {0};
	struct err e = {0};
	struct conf *c;
	int rc;

	memset(m, 0, sizeof *m);
	buf_str(&text, yaml);
	c = conf_parse("mes", &text, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	rc = mes_settings(m, conf_root(c), &e);
	CU_ASSERT(rc == 0 || (e.code == REASON_CONFIG && strncmp(e.text, "mes:", 4) == 0));
	conf_free(c);
	buf_free(&text);
	return rc;
}

static void test_mes_settings(void)
{
	struct mes m;

	CU_ASSERT_EQUAL(settings(&m, "program: [a, \"b c\"]"), 0);
	CU_ASSERT(mes_is_set(&m) && m.n_program == 2 && strcmp(m.program[1], "b c") == 0);
	CU_ASSERT_EQUAL(settings(&m, "url: \"https://mes.example/x\"\nca: root.pem"), 0);
	CU_ASSERT(mes_is_set(&m) && strcmp(m.url.path, "/x") == 0);
	CU_ASSERT_EQUAL(settings(&m, "url: \"https://mes.example/x\""), -1);
	CU_ASSERT_EQUAL(settings(&m, "url: \"http://mes.example/x\"\nca: root.pem"), -1);
	CU_ASSERT_EQUAL(settings(&m, "program: [a]\nurl: \"https://mes.example/x\"\nca: root.pem"), -1);
	CU_ASSERT_EQUAL(settings(&m, "program: [a]\nca: root.pem"), -1);
	CU_ASSERT_EQUAL(settings(&m, "program: []"), -1);
	CU_ASSERT_EQUAL(settings(&m, "ca: root.pem"), -1);
}

/* ---- reports ------------------------------------------------------------------------------ */

static void test_reports(void)
{
	struct buf out = {0};
	struct record r;

	record_start(&r, "line-2", "3", "1-4.2", "LINE-7");
	r.end = r.start + 61;
	r.outcome = OUTCOME_TIMEOUT;
	strcpy(r.scanned, "=1+1");
	err_set(&r.error, REASON_USB, "a \"quoted\", <b> & c");
	report_csv(&out, &r);
	CU_ASSERT_PTR_NOT_NULL(strstr(buf_text(&out), ",TIMEOUT,E61,usb-transfer,\"a \"\"quoted\"\", <b> & c\",line-2,3,"));
	CU_ASSERT_PTR_NOT_NULL(strstr(buf_text(&out), ",61,,,\"'=1+1\",\r\n"));
	buf_clear(&out);
	report_junit(&out, &r);
	CU_ASSERT_PTR_NOT_NULL(strstr(buf_text(&out), "<error type=\"E61\" message=\"a &quot;quoted&quot;, &lt;b&gt; &amp; c\"/>"));
	buf_clear(&out);
	r.outcome = OUTCOME_SKIPPED;
	report_junit(&out, &r);
	CU_ASSERT_PTR_NOT_NULL(strstr(buf_text(&out), "<skipped message=\"SKIPPED\"/>"));
	buf_free(&out);
	record_free(&r);
}

/* Tries of a unit, in their order: time, serial, outcome. */
static void test_yield(void)
{
	static const struct {
		int64_t end;
		const char *serial;
		enum outcome outcome;
	} tries[] = {
		{ 10, "A", OUTCOME_FAIL },	/* passes later */
		{ 11, "B", OUTCOME_PASS },
		{ 12, "-", OUTCOME_FAIL },
		{ 13, "-", OUTCOME_FAIL },
		{ 14, "C", OUTCOME_ERROR },	/* says nothing of it */
		{ 20, "C", OUTCOME_PASS },
		{ 21, "A", OUTCOME_PASS },
		{ 22, "B", OUTCOME_SKIPPED },
		{ 23, "D", OUTCOME_FAIL },
		{ 24, "E", OUTCOME_TIMEOUT },
	};
	static const struct {
		int64_t from;
		unsigned pass, fail;
	} from[] = { { 0, 2, 4 }, { 20, 1, 2 }, { 24, 0, 0 } };
	struct yield y = {0};

	for (size_t k = 0; k < sizeof from / sizeof from[0]; k++) {
		struct count c;

		for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
			struct index_entry en = { .end = tries[i].end, .outcome = tries[i].outcome };

			strcpy(en.serial, tries[i].serial);
			yield_add(&y, &en, en.end >= from[k].from);
		}
		c = yield_count(&y);
		CU_ASSERT(c.pass == from[k].pass && c.fail == from[k].fail);
	}
}

static void test_shift(void)
{
	const int64_t noon = 1800014400;	/* 2027-01-15T12:00:00Z */
	static const char *const wrong[] = { "", "..", "06:00", "06:00..", "6:00..14:00", "06:60..14:00", "24:01..06:00",
					     "2027-01-15T06:00:00Z..14:00", "2027-01-15T06:00:00Z..2027-01-15T06:00:00Z" };
	int64_t from, to;
	struct err e;

	setenv("TZ", "UTC", 1);
	CU_ASSERT_EQUAL(report_shift("06:00..14:00", noon, &from, &to, &e), 0);
	CU_ASSERT(from == noon - 6 * 3600 && to == noon + 2 * 3600);
	CU_ASSERT_EQUAL(report_shift("22:00..06:00", noon, &from, &to, &e), 0);
	CU_ASSERT(from == noon - 14 * 3600 && to == noon - 6 * 3600);
	CU_ASSERT_EQUAL(report_shift("00:00..24:00", noon, &from, &to, &e), 0);
	CU_ASSERT(from == noon - 12 * 3600 && to == noon + 12 * 3600);
	CU_ASSERT_EQUAL(report_shift("2027-01-15T06:00:00Z..2027-01-15T14:00:00Z", noon, &from, &to, &e), 0);
	CU_ASSERT(from == noon - 6 * 3600 && to == noon + 2 * 3600);
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		CU_ASSERT_EQUAL(report_shift(wrong[i], noon, &from, &to, &e), -1);
}

UNIT_MAIN("record", { "fail", test_fail }, { "pass", test_pass }, { "round trip", test_round_trip },
	  { "mutations", test_mutations }, { "outcomes", test_outcomes }, { "index line", test_index_line },
	  { "cuts", test_cuts }, { "refused records", test_refused_records },
	  { "a shift without the MES", test_shift_without_mes }, { "a record that the MES fails at", test_failing_record }, { "MES settings", test_mes_settings },
	  { "reports", test_reports }, { "first-pass yield", test_yield }, { "shift", test_shift })
