#include <config.h>

#include "dfu_suffix.h"

#include <string.h>

#define SUFFIX_LEN 16	/* bcdDevice idProduct idVendor bcdDFU "UFD" bLength dwCRC, counted from the end (table B.1) */
#define ANY_ID 0xffff

static uint32_t crc32(const uint8_t *data, size_t len)
{
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < len; i++) {
		crc ^= data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return crc;
}

static bool fits(const uint8_t *field, uint16_t id)
{
	uint16_t said = (uint16_t)(field[0] | field[1] << 8);

	return said == ANY_ID || said == id;
}

int dfu_suffix_take(struct buf *file, uint16_t vid, uint16_t pid, struct err *e)
{
	const uint8_t *s;
	uint32_t sum;

	if (file->len < SUFFIX_LEN)
		return 0;
	s = file->data + file->len - SUFFIX_LEN;
	if (memcmp(s + 8, "UFD", 3) != 0 || s[11] < SUFFIX_LEN || s[11] > file->len)
		return 0;
	sum = (uint32_t)s[12] | (uint32_t)s[13] << 8 | (uint32_t)s[14] << 16 | (uint32_t)s[15] << 24;
	if (crc32(file->data, file->len - 4) != sum)
		return err_set(e, REASON_CONFIG,
			       "the file has a DFU suffix whose sum is wrong (DFU 1.1, appendix B): it is damaged");
	if (!fits(s + 4, vid) || !fits(s + 2, pid))
		return err_set(e, REASON_CONFIG,
			       "the file's DFU suffix is for %02x%02x:%02x%02x, the model's boot loader is %04x:%04x",
			       s[5], s[4], s[3], s[2], vid, pid);
	file->len -= s[11];
	file->data[file->len] = 0;
	return 0;
}
