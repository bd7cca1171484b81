#include <config.h>

#include <png.h>
#include <setjmp.h>

#include "mem.h"
#include "picture.h"

static void take(png_structp png, png_bytep data, png_size_t len)
{
	buf_add(png_get_io_ptr(png), data, len);
}

static void flush(png_structp png) {}

/* libpng leaves by longjmp() to where this was called. */
static void write_all(png_structp png, png_infop info, const struct picture *p, struct buf *out)
{
	unsigned per_metre = p->dots_per_mm * 1000;

	png_set_write_fn(png, out, take, flush);
	png_set_IHDR(png, info, p->width, p->height, 1, PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
		     PNG_FILTER_TYPE_DEFAULT);
	png_set_pHYs(png, info, per_metre, per_metre, PNG_RESOLUTION_METER);
	png_write_info(png, info);
	png_set_invert_mono(png);	/* in a PNG 0 is black */
	for (unsigned y = 0; y < p->height; y++)
		png_write_row(png, p->bits + y * p->stride);
	png_write_end(png, info);
}

int picture_png(const struct picture *p, struct buf *out, struct err *e)
{
	png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
	png_infop info = png ? png_create_info_struct(png) : NULL;
	volatile int rc = -1;

	if (!info)
		mem_out();
	if (setjmp(png_jmpbuf(png)) == 0) {
		write_all(png, info, p, out);
		rc = 0;
	}
	png_destroy_write_struct(&png, &info);
	return rc < 0 || out->failed ? err_set(e, REASON_INTERNAL, "no PNG can be made of the label") : 0;
}
