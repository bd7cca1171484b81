#include <config.h>

#include "usbmodel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "mem.h"

enum { APP_IDLE, APP_DETACH, IDLE, DNLOAD_SYNC, DNBUSY, DNLOAD_IDLE, MANIFEST_SYNC, MANIFEST,
       MANIFEST_WAIT_RESET, UPLOAD_IDLE, ERROR };
enum { DETACH, DNLOAD, UPLOAD, GETSTATUS, CLRSTATUS, GETSTATE, ABORT };
enum { STATUS_OK = 0, ERR_VERIFY = 7, ERR_STALLED = 15 };

#define TRANSFER_SIZE 4096	/* U-Boot's CONFIG default */
#define FUNCTIONAL 0x21
#define STRING_ALTERNATE 4	/* index of the first alternate setting's name */

void model_init(struct usbmodel *m, enum model_mode mode)
{
	m->mode = mode;
	m->vid = 0x1209;
	m->pid = mode == MODEL_AGENT ? 1 : 2;
	m->state = mode == MODEL_RUNTIME ? APP_IDLE : IDLE;
	m->status = STATUS_OK;
	m->block = 0;
	m->image_len = 0;
	m->complete = m->detached = false;
	m->outs = 0;
	m->leave = m->gone = m->cut = m->hung = m->new_session = false;
}

/* ---- descriptors -------------------------------------------------------------------- */

static size_t device_descriptor(const struct usbmodel *m, uint8_t *d)
{
	const uint8_t all[18] = { 18, 1, 0, 2, 0, 0, 0, 64, (uint8_t)m->vid, (uint8_t)(m->vid >> 8), (uint8_t)m->pid,
				  (uint8_t)(m->pid >> 8), 0, 1, 1, 2, 3, 1 };

	memcpy(d, all, sizeof all);
	return sizeof all;
}

static uint8_t attributes(const struct usbmodel *m)
{
	return (uint8_t)(0x03 | (m->kind.not_tolerant || m->kind.leaves ? 0 : 0x04) | (m->kind.no_detach ? 0 : 0x08));
}

/* One functional descriptor behind the last alternate setting, as U-Boot has it. */
static size_t dfu_configuration(const struct usbmodel *m, uint8_t *d)
{
	int size = m->fault.size >= 0 ? m->fault.size : TRANSFER_SIZE;
	const uint8_t function[9] = { 9, FUNCTIONAL, attributes(m), 0, 0, (uint8_t)size, (uint8_t)(size >> 8),
				      0x10, 1 };
	size_t len = 9, function_len = m->fault.no_function ? 0 : m->fault.short_function ? 5 : sizeof function;

	for (int i = 0; i < m->n_alternates; i++) {
		const uint8_t interface[9] = { 9, 4, 0, (uint8_t)i, 0, 0xfe, 1, m->mode == MODEL_RUNTIME ? 1 : 2,
					       (uint8_t)(STRING_ALTERNATE + i) };

		memcpy(d + len, interface, sizeof interface);
		len += sizeof interface;
	}
	memcpy(d + len, function, function_len);
	len += function_len;
	memcpy(d, (const uint8_t[9]){ 9, 2, (uint8_t)len, 0, 1, 1, 0, 0xc0, 50 }, 9);
	return len;
}

static size_t agent_configuration(const struct usbmodel *m, uint8_t *d)
{
	static const uint8_t bare[18] = { 9, 2, 18, 0, 1, 1, 0, 0xc0, 50, 9, 4, 0, 0, 0, 0xff, 0x4b, 1, 4 };
	static const uint8_t all[32] = { 9, 2, 32, 0, 1, 1, 0, 0xc0, 50,
					 9, 4, 0, 0, 2, 0xff, 0x4b, 1, 4,
					 7, 5, 2, 2, 0, 2, 0,
					 7, 5, 0x81, 2, 0, 2, 0 };

	memcpy(d, m->fault.no_endpoints ? bare : all, m->fault.no_endpoints ? sizeof bare : sizeof all);
	return m->fault.no_endpoints ? sizeof bare : sizeof all;
}

static size_t configuration(const struct usbmodel *m, uint8_t *d)
{
	return m->mode == MODEL_AGENT ? agent_configuration(m, d) : dfu_configuration(m, d);
}

size_t model_descriptors(const struct usbmodel *m, uint8_t *out, size_t size)
{
	size_t n;

	if (size < 128)
		abort();
	n = device_descriptor(m, out);
	return n + configuration(m, out + n);
}

static int give(uint8_t *data, int len, const uint8_t *from, size_t n)
{
	if ((int)n > len)
		n = (size_t)len;
	memcpy(data, from, n);
	return (int)n;
}

static int give_string(const struct usbmodel *m, uint8_t index, uint8_t *data, int len)
{
	const char *text = NULL;
	uint8_t d[256] = { 4, 3, 9, 4 };	/* index 0: English (United States) */
	size_t n = 4;

	if (index == 1)
		text = m->manufacturer;
	else if (index == 2)
		text = m->product;
	else if (index == 3)
		text = m->serial;
	else if (m->mode == MODEL_AGENT && index == STRING_ALTERNATE)
		text = "handsel device link";
	else if (index >= STRING_ALTERNATE && index < STRING_ALTERNATE + m->n_alternates)
		text = m->alternate[index - STRING_ALTERNATE];
	if (index && !text)
		return -EPIPE;
	if (text) {
		n = 2;
		for (; *text && n < sizeof d - 2; text++) {
			d[n++] = (uint8_t)*text;
			d[n++] = 0;
		}
		d[0] = (uint8_t)n;
	}
	return give(data, len, d, n);
}

static int standard(struct usbmodel *m, const uint8_t s[8], uint8_t *data, int len)
{
	uint8_t d[128];

	switch (s[1]) {
	case 0:		/* GET_STATUS */
		return give(data, len, (const uint8_t[2]){ 1, 0 }, 2);
	case 8:		/* GET_CONFIGURATION */
		return give(data, len, (const uint8_t[1]){ 1 }, 1);
	case 1: case 3: case 9:
		return 0;
	case 11:
		model_set_interface(m);
		return 0;
	case 6:		/* GET_DESCRIPTOR */
		if (s[3] == 1)
			return give(data, len, d, device_descriptor(m, d));
		if (s[3] == 2)
			return give(data, len, d, configuration(m, d));
		if (s[3] == 3)
			return give_string(m, s[2], data, len);
		if (s[3] == FUNCTIONAL && m->mode != MODEL_AGENT && !m->fault.no_function && !m->fault.short_function) {
			size_t n = configuration(m, d);

			return give(data, len, d + n - 9, 9);
		}
		return -EPIPE;
	default:
		return -EPIPE;
	}
}

/* ---- DFU ------------------------------------------------------------------------------ */

static int fail(struct usbmodel *m, unsigned status)
{
	m->state = ERROR;
	m->status = status;
	return -EPIPE;
}

static int dnload(struct usbmodel *m, int number, const uint8_t *data, int len)
{
	if (m->state != IDLE && m->state != DNLOAD_IDLE)
		return fail(m, ERR_STALLED);
	if (len == 0 && m->state == IDLE)
		return fail(m, ERR_STALLED);
	if (m->state == IDLE) {
		m->block = 0;
		m->image_len = 0;
		m->complete = false;
	}
	if (len == 0) {
		m->state = MANIFEST_SYNC;
		return 0;
	}
	if (m->block == m->fault.vanish_block) {
		m->gone = true;
		return -ENODEV;
	}
	if (m->block == m->fault.hang_block) {
		m->hung = true;
		return -EAGAIN;
	}
	if (m->block == m->fault.stall_block || (m->block == m->fault.stall_once && !m->stalled_once)) {
		m->stalled_once = true;
		return fail(m, ERR_STALLED);
	}
	if (number != (m->block & 0xffff) || len > TRANSFER_SIZE || m->image_len + (size_t)len > MODEL_IMAGE_MAX)
		return fail(m, ERR_STALLED);
	if (!m->image)
		m->image = mem_new(1, MODEL_IMAGE_MAX);
	memcpy(m->image + m->image_len, data, (size_t)len);
	m->image_len += (size_t)len;
	m->block++;
	m->state = DNLOAD_SYNC;
	return len;
}

/* What the state becomes when the host asks; the pause that it is told. */
static int next_state(struct usbmodel *m)
{
	int pause = 0;

	switch (m->state) {
	case DNLOAD_SYNC:	/* busy once, if it is slow */
		pause = m->fault.poll_ms > 0 ? m->fault.poll_ms : 0;
		m->state = pause ? DNBUSY : DNLOAD_IDLE;
		break;
	case DNBUSY:
		m->state = DNLOAD_IDLE;
		break;
	case MANIFEST_SYNC:
		m->state = MANIFEST;
		pause = 5;
		break;
	case MANIFEST:
		m->complete = m->fault.bad_status < 0;
		m->state = !m->complete ? ERROR : m->kind.not_tolerant ? MANIFEST_WAIT_RESET : IDLE;
		m->status = m->complete ? STATUS_OK : ERR_VERIFY;
		m->leave = m->complete && m->kind.leaves;
		break;
	}
	return pause;
}

/* Is the last block that came the one of the fault? */
static bool is_at(const struct usbmodel *m, int block)
{
	return block != MODEL_NEVER && m->block == block + 1;
}

static int get_status(struct usbmodel *m, uint8_t *data, int len)
{
	bool busy = is_at(m, m->fault.busy_block);
	int pause = 0;
	uint8_t s[6];

	if (busy && m->state == DNLOAD_SYNC)
		m->state = DNBUSY;
	else if (!busy || m->state != DNBUSY)
		pause = next_state(m);
	s[0] = (uint8_t)m->status;
	s[1] = (uint8_t)pause;
	s[2] = (uint8_t)(pause >> 8);
	s[3] = (uint8_t)(pause >> 16);
	s[4] = (uint8_t)m->state;
	s[5] = 0;
	return give(data, len, s, is_at(m, m->fault.short_block) ? sizeof s / 2 : sizeof s);
}

static int class_request(struct usbmodel *m, const uint8_t s[8], uint8_t *data, int len)
{
	if (m->mode == MODEL_RUNTIME && s[1] != DETACH && s[1] != GETSTATUS && s[1] != GETSTATE)
		return -EPIPE;		/* appIDLE (DFU 1.1, table 3.2) */
	switch (s[1]) {
	case DETACH:
		m->detached = true;
		m->leave = !m->kind.no_detach;
		if (m->mode == MODEL_RUNTIME)
			m->state = APP_DETACH;
		return 0;
	case DNLOAD:
		return dnload(m, s[2] | s[3] << 8, data, len);
	case GETSTATUS:
		return get_status(m, data, len);
	case CLRSTATUS:
		if (m->state != ERROR)
			return fail(m, ERR_STALLED);
		m->state = IDLE;
		m->status = STATUS_OK;
		return 0;
	case GETSTATE:
		return give(data, len, (const uint8_t[1]){ (uint8_t)m->state }, 1);
	case ABORT:
		m->state = IDLE;
		return 0;
	default:
		return fail(m, ERR_STALLED);
	}
}

void model_reset(struct usbmodel *m)
{
	if (m->mode == MODEL_AGENT)
		return;
	m->leave = m->detached || m->state == MANIFEST_WAIT_RESET;
	if (m->leave || m->mode == MODEL_RUNTIME)
		return;
	m->state = IDLE;
	m->status = STATUS_OK;
	m->image_len = 0;
	m->complete = false;
}

void model_set_interface(struct usbmodel *m)
{
	if (m->mode == MODEL_AGENT && m->outs > 0)
		m->new_session = true;
}

int model_control(struct usbmodel *m, const uint8_t setup[8], uint8_t *data)
{
	int len = setup[6] | setup[7] << 8;

	if (m->hung)
		return -EAGAIN;
	if ((setup[0] & 0x60) == 0)
		return standard(m, setup, data, len);
	if (m->mode == MODEL_AGENT || (setup[0] & 0x7f) != 0x21)
		return -EPIPE;
	return class_request(m, setup, data, len);
}

/* ---- the agent's link ------------------------------------------------------------------- */

int model_bulk_in(struct usbmodel *m, uint8_t *data, int len)
{
	ssize_t n;

	if (m->mode != MODEL_AGENT)
		return -EPIPE;
	if (m->hung || m->new_session || m->fd < 0)
		return -EAGAIN;
	n = recv(m->fd, data, (size_t)len, MSG_DONTWAIT);
	return n > 0 ? (int)n : -EAGAIN;	/* at its end the agent is dead, and the device will be unplugged */
}

int model_bulk_out(struct usbmodel *m, const uint8_t *data, int len, bool first)
{
	ssize_t n;

	if (m->mode != MODEL_AGENT)
		return -EPIPE;
	if (len == 0)
		return 0;
	if (first)
		m->outs++;
	if (m->outs == m->fault.vanish_out || m->outs == m->fault.cut_out) {
		m->cut = m->outs == m->fault.cut_out;
		m->gone = true;
		return -ENODEV;
	}
	if (m->hung || m->new_session || m->fd < 0)
		return -EAGAIN;
	n = send(m->fd, data, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL);
	return n > 0 ? (int)n : -EAGAIN;
}
