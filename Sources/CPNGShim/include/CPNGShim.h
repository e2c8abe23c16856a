#pragma once
#include <stddef.h>
#include <stdint.h>

// 8-bit RGB pictures to and from PNG in memory, over libpng's simplified API: libpng's longjmp starts and ends inside
// it and never crosses a caller's frame. Every function returns 1 on success, 0 on failure with a reason in `message`.

#pragma clang assume_nonnull begin

enum { vernier_png_message_bytes = 64 };

/// Reads the picture's sides from the header.
int vernier_png_read_size(const uint8_t *file, size_t file_bytes, uint32_t *width, uint32_t *height, char *message);

/// Decodes a file to `rgb`, [height, width, 3], whose size must fit the header. Transparent parts are laid on white.
int vernier_png_read_pixels(const uint8_t *file, size_t file_bytes, uint8_t *rgb, size_t rgb_bytes, char *message);

/// The largest number of bytes that a picture of these sides can take; 0 if that does not fit a size_t.
size_t vernier_png_capacity(uint32_t width, uint32_t height);

/// Encodes [height, width, 3] pixels. `file_bytes` holds the room in `file` on entry, the bytes written on success.
int vernier_png_write(
    const uint8_t *rgb, uint32_t width, uint32_t height, uint8_t *file, size_t *file_bytes, char *message);

#pragma clang assume_nonnull end
