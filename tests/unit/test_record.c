/* test_record.c - what stands in the JSON file of an attempt. */
#include <config.h>

#include "record.h"

#include <jansson.h>
#include <string.h>

#include "file.h"
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

static void test_write(void)
{
	char *dir = unit_folder(), folder[FILE_PATH], path[2 * FILE_PATH];
	struct record r;
	struct err e;
	json_t *o;

	record_start(&r, "line-2", "3", "1-4.2", "LINE-7");
	r.outcome = OUTCOME_ABORTED;
	CU_ASSERT_EQUAL(record_write(&r, dir, &e), 0);
	CU_ASSERT_EQUAL(file_join(folder, &e, dir, "records"), 0);
	snprintf(path, sizeof path, "%s/%s.json", folder, r.id);
	o = json_load_file(path, 0, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(o);
	CU_ASSERT_STRING_EQUAL(text_of(o, "outcome"), "ABORTED");
	json_decref(o);
	unlink(path);
	rmdir(folder);
	rmdir(dir);
	CU_ASSERT_EQUAL(record_write(&r, "/nonexistent/folder", &e), -1);
	record_free(&r);
}

UNIT_MAIN("record", { "fail", test_fail }, { "pass", test_pass }, { "write", test_write })
